"""Generated top views of rosette plants in trays, a stand-in for CVPPP A1.

Leaves grow at the golden angle around a centre, the older ones longer, lower and further out, each with a
stalk (petiole), a midrib, side veins and a shadow on what lies below it. Younger leaves hide parts of older
ones, so a leaf may be seen in several pieces. Below them is soil with grains, in a pot with a rim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from benchmarks.data.normalisation import BY_255
from benchmarks.data.synthetic.generated import SyntheticDataset

_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
_SMALLEST_VISIBLE = 20  # pixels; an annotator would still outline this


class SyntheticRosettes(SyntheticDataset):
    """8-bit RGB images of one plant each, with 5 to 19 leaves."""

    protocol = "leaves"

    defaults: ClassVar[Mapping[str, int]] = {"size": 256, "train": 16, "val": 6, "test": 6, "seed": 0}
    normalisation = BY_255

    def draw(self, rng: np.random.Generator, empty: bool) -> tuple[np.ndarray, np.ndarray]:
        scene = _background(rng, self.size)
        labels = np.zeros((self.size, self.size), dtype=np.int32)
        for id, leaf in enumerate(_grow(rng, self.size), start=1):
            _paint(rng, scene, labels, leaf, id)
        return _photograph(rng, scene), _tidy(labels)


@dataclass(frozen=True)
class Leaf:
    """One leaf.

    Attributes:
        y, x: where its stalk begins, pixels.
        angle: direction it grows in, radians.
        stalk, blade: lengths along that direction, pixels.
        width: half width of the blade, pixels.
        bend: sideways shift at the tip, pixels.
        colour: (3,) RGB in [0, 1].
        wave: amplitude of the outline's undulation, as a fraction of `width`.
    """

    y: float
    x: float
    angle: float
    stalk: float
    blade: float
    width: float
    bend: float
    colour: np.ndarray
    wave: float


def _grow(rng: np.random.Generator, size: int) -> list[Leaf]:
    """Grow the leaves of one plant, oldest first."""
    count = int(rng.integers(5, 20))
    # A plant with more leaves is older, hence larger.
    reach = size * (0.31 + 0.0065 * count) * rng.uniform(0.85, 1.12)
    centre = size / 2 + rng.normal(0, 0.03 * size, 2)
    turn = rng.uniform(0, 2 * np.pi)
    slender = rng.uniform(0.85, 1.15)
    green = np.array([0.31, 0.44, 0.2]) * rng.uniform(0.75, 1.1) + rng.normal(0, 0.02, 3)
    leaves = []
    for index in range(count):
        youth = index / max(1, count - 1)
        length = reach * (1 - 0.82 * youth**1.3) * rng.uniform(0.88, 1.1)
        cotyledon = index < 2 and count < 14
        if cotyledon:  # the two seed leaves: short, round, opposite each other
            length *= 0.6
        angle = turn + index * (np.pi if cotyledon else _GOLDEN_ANGLE) + rng.normal(0, 0.12)
        stalk = length * (rng.uniform(0.34, 0.46) - 0.2 * youth)
        blade = length - stalk
        y, x = centre + rng.normal(0, 0.006 * size, 2)
        leaves.append(
            Leaf(
                y=y,
                x=x,
                angle=angle,
                stalk=stalk,
                blade=blade,
                width=blade * slender * rng.uniform(0.34, 0.46) * (1.2 if cotyledon else 1.0),
                bend=rng.normal(0, 0.08) * length,
                colour=green * rng.uniform(0.86, 1.12) + youth * np.array([0.07, 0.1, 0.04]),
                wave=abs(rng.normal(0, 0.035)),
            )
        )
    return leaves


def _paint(rng: np.random.Generator, scene: np.ndarray, labels: np.ndarray, leaf: Leaf, id: int) -> None:
    """Draw a leaf and its shadow over what is there."""
    reach = leaf.stalk + leaf.blade + abs(leaf.bend) + 8
    margin = leaf.width + 8
    tip_y, tip_x = leaf.y + reach * np.sin(leaf.angle), leaf.x + reach * np.cos(leaf.angle)
    top, left = (max(0, int(min(a, b) - margin)) for a, b in ((leaf.y, tip_y), (leaf.x, tip_x)))
    bottom, right = (int(max(a, b) + margin) + 1 for a, b in ((leaf.y, tip_y), (leaf.x, tip_x)))
    window = np.s_[top:bottom, left:right]
    height, width = labels[window].shape
    y, x = np.mgrid[top : top + height, left : left + width].astype(float)
    along, across = _leaf_axes(leaf, y, x)
    half = _half_width(rng, leaf, along)
    cover = np.clip(half - np.abs(across) + 0.5, 0, 1)[..., None]
    shadow = gaussian_filter(np.roll(cover[..., 0], (2, 2), axis=(0, 1)), 2.2)[..., None]
    surface = _surface(rng, leaf, along, across, half)
    scene[window] = scene[window] * (1 - 0.5 * shadow) * (1 - cover) + surface * cover
    labels[window][cover[..., 0] > 0.5] = id


def _leaf_axes(leaf: Leaf, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure pixels along the (bent) middle line from the beginning of the stalk, and across it."""
    cosine, sine = np.cos(leaf.angle), np.sin(leaf.angle)
    along = cosine * (x - leaf.x) + sine * (y - leaf.y)
    across = cosine * (y - leaf.y) - sine * (x - leaf.x)
    return along, across - leaf.bend * (along / (leaf.stalk + leaf.blade)) ** 2


def _half_width(rng: np.random.Generator, leaf: Leaf, along: np.ndarray) -> np.ndarray:
    """Compute the half width of the leaf at each pixel's place along it; below 0 past either end."""
    part = (along - leaf.stalk) / leaf.blade
    inside = np.clip(part, 0, 1)
    # Spoon-shaped: widest past the middle, a blunt tip, tapering into the stalk.
    blade = leaf.width * np.sin(np.pi * inside**1.35) ** 0.62
    blade *= 1 + leaf.wave * np.sin(2 * np.pi * (rng.uniform(1.5, 3.5) * inside + rng.random()))
    thickness = 0.9 + 0.07 * leaf.width
    taper = 1 - 0.3 * np.clip(along / leaf.stalk, 0, 1)
    stalk = np.where((along >= 0) & (part < 0.5), thickness * taper, -1)
    return np.maximum(np.where((part > 0) & (part < 1), blade, -1), stalk)


def _surface(
    rng: np.random.Generator, leaf: Leaf, along: np.ndarray, across: np.ndarray, half: np.ndarray
) -> np.ndarray:
    """Colour the leaf at each pixel, (h, w, 3): two halves in different light, veins, a paler stalk."""
    on_blade = np.clip((along - leaf.stalk) / (0.15 * leaf.blade), 0, 1)
    side = np.tanh(across / (0.3 * leaf.width)) * rng.uniform(0.04, 0.14) * rng.choice([-1, 1])
    edge = np.abs(across) / np.maximum(half, 1)
    lengthwise = rng.uniform(-0.1, 0.1) * (along / (leaf.stalk + leaf.blade) - 0.5)
    midrib = 0.16 * np.exp(-((across / (0.5 + 0.03 * leaf.width)) ** 2))
    # Side veins leave the midrib at an angle, so they are straight in along - |across|.
    stripes = np.cos(2 * np.pi * (along - 0.9 * np.abs(across)) / (4 + 0.12 * leaf.blade))
    veins = 0.18 * np.clip(stripes - 0.5, 0, None)
    mottle = gaussian_filter(rng.standard_normal(along.shape), 1.5) * 0.12
    light = 1 + on_blade * (side + lengthwise + veins - 0.2 * edge**3) + midrib + mottle
    pale = (1 - on_blade)[..., None] * np.array([0.12, 0.1, 0.08])
    return leaf.colour * light[..., None] + pale


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw soil in a pot, seen in the tray, (size, size, 3) in [0, 1]."""
    soil = np.array([0.25, 0.19, 0.145]) * rng.uniform(0.75, 1.2)
    clods = sum(
        weight * _unit(gaussian_filter(rng.standard_normal((size, size)), sigma))
        for sigma, weight in ((0.7, 0.12), (1.8, 0.13), (5.0, 0.1))
    )
    scene = soil * np.clip(1 + clods, 0.25, None)[..., None]
    _scatter_grains(rng, scene)
    if rng.random() < 0.4:
        _grow_algae(rng, scene)
    return _put_in_pot(rng, scene)


def _unit(noise: np.ndarray) -> np.ndarray:
    return noise / noise.std()


def _scatter_grains(rng: np.random.Generator, scene: np.ndarray) -> None:
    """Scatter pale mineral grains and dark bits of peat, each of a few pixels."""
    size = scene.shape[0]
    for density, shade in ((0.004, [0.6, 0.56, 0.5]), (0.006, [0.08, 0.06, 0.05])):
        seeds = np.zeros((size, size))
        number = round(density * size * size * rng.uniform(0.4, 1.5))
        seeds[tuple(rng.integers(0, size, (2, number)))] = rng.uniform(0.5, 4.5, number)
        cover = np.clip(gaussian_filter(seeds, 0.8) * 2, 0, 0.85)[..., None]
        scene += cover * (np.array(shade) - scene)


def _grow_algae(rng: np.random.Generator, scene: np.ndarray) -> None:
    """Grow a green film on moist soil, so that greenness alone does not make a leaf."""
    coarse = zoom(rng.standard_normal((6, 6)), scene.shape[0] / 6, order=3, mode="nearest", grid_mode=True)
    cover = 0.45 * np.clip(_unit(coarse) - 0.6, 0, 1)[: scene.shape[0], : scene.shape[1], None]
    scene += cover * (np.array([0.2, 0.27, 0.1]) - scene)


def _put_in_pot(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """Frame the soil with the rim of the square pot and, outside, the dark tray."""
    size = scene.shape[0]
    offset = rng.uniform(-0.03, 0.03, 2)
    y, x = (np.abs(np.linspace(-1, 1, size) + shift) for shift in offset)
    outside = (y[:, None] ** 8 + x[None, :] ** 8) ** (1 / 8) - rng.uniform(0.84, 0.97)
    rim_colour = rng.choice(np.array([[0.2, 0.21, 0.24], [0.36, 0.35, 0.36]]))
    tray_colour = np.array([0.09, 0.09, 0.11])
    rim, tray = (np.clip((outside - start) * size / 4, 0, 1)[..., None] for start in (0.0, 0.045))
    shade = 1 - 0.45 * np.exp(-np.clip(-outside, 0, None) / 0.05)[..., None]
    return scene * shade * (1 - rim) + rim * ((1 - tray) * rim_colour + tray * tray_colour)


def _photograph(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """Add uneven light, white balance, lens blur and sensor noise; return (size, size, 3) uint8."""
    size = scene.shape[0]
    direction = rng.normal(0, 0.06, 2)
    position = np.linspace(-1, 1, size)
    light = 1 + direction[0] * position[:, None] + direction[1] * position[None, :]
    seen = scene * light[..., None] * rng.uniform(0.9, 1.12) * rng.normal(1, 0.03, 3)
    seen = gaussian_filter(seen, (rng.uniform(0.45, 0.8),) * 2 + (0,))
    noise = rng.standard_normal(seen.shape) * (0.008 + 0.02 * np.sqrt(np.clip(seen, 0, 1)))
    return np.clip(np.rint(255 * (seen + noise)), 0, 255).astype(np.uint8)


def _tidy(labels: np.ndarray) -> np.ndarray:
    """Drop leaves of which next to nothing is visible; number the others 1..K, oldest first."""
    kept = np.bincount(labels.ravel()) >= _SMALLEST_VISIBLE
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels]
