"""Generated fluorescence images of cell nuclei, a stand-in for a Hoechst-stained U2OS screen (BBBC039).

Nuclei are bent, slightly lobed ellipses that lie alone, touch or overlap in clusters; brightness varies
widely, some are dividing. The image is formed as a widefield microscope does it: fluorescence with chromatin
texture and dark nucleoli adds up where nuclei overlap, light from out of focus gives a haze, the optics blur,
illumination falls off, and a 12-bit camera adds photon (Poisson) and read noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.ndimage import gaussian_filter, zoom
from skimage.measure import label, regionprops

from benchmarks.data.normalisation import MIN_MAX
from benchmarks.data.synthetic.generated import SyntheticDataset

_EMPTY_EVERY = 24
_SMALLEST_VISIBLE = 30  # pixels; an annotator would still outline this
_OFFSET, _FULL_SCALE = 120, 4095  # counts of the camera


class SyntheticNuclei(SyntheticDataset):
    """Grey 12-bit images in uint16; one training image in 24 shows no nucleus."""

    defaults: ClassVar[Mapping[str, int]] = {"size": 256, "train": 24, "val": 8, "test": 8, "seed": 0}
    normalisation = MIN_MAX

    def is_empty(self, split: str, index: int) -> bool:
        return split == "train" and index % _EMPTY_EVERY == _EMPTY_EVERY - 1

    def draw(self, rng: np.random.Generator, empty: bool) -> tuple[np.ndarray, np.ndarray]:
        nuclei = [] if empty else _place(rng, self.size)
        light, labels = _render(rng, nuclei, self.size)
        return _expose(rng, light), labels


@dataclass(frozen=True)
class Nucleus:
    """Shape and stain of one nucleus.

    Attributes:
        y, x: centre, pixels.
        long, short: half axes, pixels.
        angle: direction of the long axis, radians.
        bend: sideways shift at the tips, as a fraction of `short`.
        lobes: (3, 2) cosine and sine weights of the outline's 2nd to 4th harmonic, as fractions of the radius.
        brightness: 1 is the usual stain.
        texture: contrast of chromatin.
        nucleoli: (N, 3) centre in units of the half axes, radius in pixels.
    """

    y: float
    x: float
    long: float
    short: float
    angle: float
    bend: float
    lobes: np.ndarray
    brightness: float
    texture: float
    nucleoli: np.ndarray

    @property
    def radius(self) -> float:
        """The radius of the circle of equal area."""
        return float(np.sqrt(self.long * self.short))


def _place(rng: np.random.Generator, size: int) -> list[Nucleus]:
    """Place the nuclei of one field of view; crowding, size and clustering differ between fields."""
    scale = rng.uniform(0.85, 1.2)
    wanted = round(rng.uniform(24, 62) * (size / 256) ** 2)
    clustering = rng.uniform(0.25, 0.65)
    placed: list[Nucleus] = []
    for _ in range(12 * wanted):
        if len(placed) >= wanted:
            break
        nucleus = _shape(rng, scale, size)
        if placed and rng.random() < clustering:
            nucleus = _beside(rng, nucleus, placed[rng.integers(len(placed))])
        if _fits(nucleus, placed, size):
            placed.append(nucleus)
    return placed


def _shape(rng: np.random.Generator, scale: float, size: int) -> Nucleus:
    kind = rng.random()
    dividing = kind < 0.03
    radius = scale * rng.lognormal(np.log(11.0), 0.16) * (0.6 if dividing else 1.0)
    stretch = np.sqrt(rng.uniform(2.0, 3.2) if dividing else 1 + rng.gamma(2.2, 0.17))
    brightness = rng.lognormal(0.0, 0.28)
    if dividing:
        brightness *= rng.uniform(2.2, 3.5)
    elif kind > 0.9:
        brightness *= rng.uniform(0.3, 0.5)
    inner = rng.uniform(-0.5, 0.5, (0 if dividing else rng.integers(0, 5), 2))
    y, x = rng.uniform(-2, size + 2, 2)
    return Nucleus(
        y=y,
        x=x,
        long=radius * stretch,
        short=radius / stretch,
        angle=rng.uniform(0, np.pi),
        bend=rng.normal(0, 0.16),
        lobes=rng.normal(0, [[0.035], [0.03], [0.018]], (3, 2)),
        brightness=brightness,
        texture=rng.uniform(0.3, 0.5) if dividing else rng.uniform(0.1, 0.26),
        nucleoli=np.column_stack([inner, rng.uniform(1.0, 2.2, len(inner))]),
    )


def _beside(rng: np.random.Generator, nucleus: Nucleus, other: Nucleus) -> Nucleus:
    """Move a nucleus next to another: from just apart to overlapping by about a quarter."""
    direction = rng.uniform(0, 2 * np.pi)
    distance = rng.uniform(0.78, 1.04) * (_reach(nucleus, direction) + _reach(other, direction))
    y, x = other.y + distance * np.sin(direction), other.x + distance * np.cos(direction)
    return Nucleus(**{**vars(nucleus), "y": y, "x": x})


def _reach(nucleus: Nucleus, direction: float) -> float:
    """Compute the radius of the ellipse towards `direction`."""
    across = direction - nucleus.angle
    return 1 / np.hypot(np.cos(across) / nucleus.long, np.sin(across) / nucleus.short)


def _fits(nucleus: Nucleus, placed: list[Nucleus], size: int) -> bool:
    if not (-2 <= nucleus.y <= size + 2 and -2 <= nucleus.x <= size + 2):
        return False
    for other in placed:
        dy, dx = nucleus.y - other.y, nucleus.x - other.x
        distance = np.hypot(dy, dx)
        if distance < nucleus.long + other.long:
            direction = np.arctan2(dy, dx)
            if distance < 0.77 * (_reach(nucleus, direction) + _reach(other, direction)):
                return False
    return True


def _render(rng: np.random.Generator, nuclei: list[Nucleus], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Render fluorescence in focus (size, size) float64, and labels; a shared pixel goes to the deeper nucleus."""
    light = np.zeros((size, size))
    nearest = np.ones((size, size))
    labels = np.zeros((size, size), dtype=np.int32)
    chromatin = _chromatin(rng)
    for id, nucleus in enumerate(nuclei, start=1):
        reach = int(1.25 * nucleus.long) + 2
        top, left = max(0, int(nucleus.y) - reach), max(0, int(nucleus.x) - reach)
        window = np.s_[top : max(0, int(nucleus.y) + reach + 1), left : max(0, int(nucleus.x) + reach + 1)]
        depth, u, v = _depth(nucleus, *np.indices(light[window].shape) + np.array([[[top]], [[left]]]))
        light[window] += _stain(rng, nucleus, depth, u, v, chromatin)
        closer = depth < nearest[window]
        nearest[window][closer] = depth[closer]
        labels[window][closer] = id
    return light, _tidy(labels)


def _depth(nucleus: Nucleus, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the depth, 0 at the centre and 1 on the outline, and the coordinates along and across, in half axes."""
    cosine, sine = np.cos(nucleus.angle), np.sin(nucleus.angle)
    dy, dx = y - nucleus.y, x - nucleus.x
    u = (cosine * dx + sine * dy) / nucleus.long
    v = (cosine * dy - sine * dx) / nucleus.short
    v = v - nucleus.bend * (u**2 - 0.25)
    radius = np.hypot(u, v)
    turn = (u + 1j * v) / np.maximum(radius, 1e-9)
    outline, power = np.ones_like(radius), turn
    for even, odd in nucleus.lobes:
        power = power * turn
        outline += even * power.real + odd * power.imag
    return radius / outline, u, v


def _stain(
    rng: np.random.Generator,
    nucleus: Nucleus,
    depth: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    chromatin: np.ndarray,
) -> np.ndarray:
    """Compute the fluorescence of one nucleus: thinner towards the rim, textured, dark at nucleoli."""
    thickness = np.sqrt(np.clip(1 - depth**2, 0, None))
    body = np.clip((1 - depth) * nucleus.short / 1.5, 0, 1) * (0.7 + 0.3 * thickness)
    top, left = rng.integers(0, np.array(chromatin.shape) - depth.shape)
    body = body * (1 + nucleus.texture * chromatin[top : top + depth.shape[0], left : left + depth.shape[1]])
    for along, across, radius in nucleus.nucleoli:
        squared = ((u - along) * nucleus.long) ** 2 + ((v - across) * nucleus.short) ** 2
        body *= 1 - 0.32 * np.exp(-squared / (2 * radius**2))
    return nucleus.brightness * np.clip(body, 0, None)


def _chromatin(rng: np.random.Generator, size: int = 160) -> np.ndarray:
    """Draw a texture of unit deviation: fine grains and coarser clumps."""
    noise = rng.standard_normal((2, size, size))
    fine, coarse = gaussian_filter(noise[0], 0.9), gaussian_filter(noise[1], 2.8)
    texture = fine / fine.std() * 0.6 + coarse / coarse.std()
    return texture / texture.std()


def _tidy(labels: np.ndarray) -> np.ndarray:
    """Keep the largest piece of each nucleus, drop slivers, number what is left 1..K."""
    pieces = label(labels, background=0, connectivity=1)
    largest: dict[int, tuple[int, int]] = {}
    for piece in regionprops(pieces):
        id = labels[tuple(piece.coords[0])]
        largest[id] = max(largest.get(id, (0, 0)), (int(piece.area), piece.label))
    kept = [piece for area, piece in largest.values() if area >= _SMALLEST_VISIBLE]
    table = np.zeros(pieces.max() + 1, dtype=np.int32)
    table[kept] = np.arange(1, len(kept) + 1)
    return table[pieces]


def _expose(rng: np.random.Generator, light: np.ndarray) -> np.ndarray:
    """Expose the camera to the light in focus; return what it stores, (size, size) uint16 with 12 bits."""
    focus = 0.7 + rng.gamma(1.6, 0.25)
    haze = 0.10 * gaussian_filter(light, 9) + 0.03 * gaussian_filter(light, 30, truncate=2)
    seen = gaussian_filter(light, focus) + haze + rng.uniform(0.02, 0.06)
    electrons = seen * _illumination(rng, light.shape[0]) * rng.uniform(250, 900)
    counts = (rng.poisson(electrons) + rng.normal(0, 6, light.shape)) * rng.uniform(0.5, 1.0) + _OFFSET
    return np.clip(np.rint(counts), 0, _FULL_SCALE).astype(np.uint16)


def _illumination(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw uneven light: brightest somewhere near the middle, falling by up to 45 % to the corners."""
    y, x = np.linspace(-1, 1, size)[:, None], np.linspace(-1, 1, size)[None, :]
    centre_y, centre_x = rng.uniform(-0.4, 0.4, 2)
    fall = 1 - rng.uniform(0.1, 0.28) * ((y - centre_y) ** 2 + (x - centre_x) ** 2) / 1.6
    uneven = zoom(rng.normal(0, 0.04, (4, 4)), size / 4, order=3, mode="nearest", grid_mode=True)
    return fall + uneven[:size, :size]
