"""Label maps as pictures: one colour an object, neighbours never alike."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree
from skimage.segmentation import find_boundaries

# Light, saturated and told apart on a dark image; none is near red or white, which mark errors in reports.
PALETTE = np.array(
    [
        (86, 180, 233), (240, 200, 40), (0, 190, 130), (190, 120, 255), (255, 150, 60), (60, 110, 255),
        (150, 220, 60), (240, 130, 200), (0, 210, 220), (190, 150, 90), (120, 140, 200), (40, 150, 60),
    ],
    dtype=np.uint8,
)  # fmt: skip

SAMPLE = 500_000  # pixels: what `stretch` looks at
NEAR = 64  # objects: those that a colour is compared with, so that many objects take no more time each than few
BAND = 2_000_000  # pixels
REACH = 3  # pixels: objects with no more background than this between them count as neighbours
FILL = 0.25  # of the colour: what is inside of an object stays to be seen
DARK_MEAN = 64  # of 255: pictures below this mean are lifted towards it
STRONGEST_LIFT = 0.5  # exponent
BRIGHT = 128  # of 255: objects above this mean, on a background above it, are outlined in a darker shade
SHADE = 0.5


def overlay(image: np.ndarray, labels: np.ndarray, alpha: float = FILL) -> np.ndarray:
    """The image with each object filled and outlined in its own colour, made to be judged at a glance.

    Dark images are lifted, so that faint objects that were missed are seen; pale objects on a bright background, as in
    stained tissue, have dark outlines.

    Args:
        image: (3, H, W) float in [0, 1].
        labels: (H, W) int, 0 background, any ids.
        alpha: share of the colour in the fill, in [0, 1].

    Returns:
        (H, W, 3) uint8.
    """
    picture = lift(stretch(image))
    return blend(picture, colour_labels(labels), labels, alpha, shaded=pale_objects(picture, labels))


def blend(
    picture: np.ndarray, colours: np.ndarray, labels: np.ndarray, alpha: float, shaded: np.ndarray | None = None
) -> np.ndarray:
    """Lay colours over a picture where there are objects, and outline these.

    Args:
        picture, colours: (H, W, 3) uint8.
        labels: (H, W) int.
        shaded: (H, W) bool, where outlines are of a darker shade; None for nowhere.
    """
    result = picture.copy()
    share = np.float32(alpha)
    for band in _bands(labels):
        inside = labels[band] > 0
        filled = ((1 - share) * picture[band][inside] + share * colours[band][inside]).round()
        result[band][inside] = filled
        edge = _outlines(labels, band)
        result[band][edge] = colours[band][edge]
        if shaded is not None:
            dark = edge & shaded[band]
            result[band][dark] = (SHADE * colours[band][dark]).round()
    return result


def lift(picture: np.ndarray) -> np.ndarray:
    """Brighten a dark picture (H, W, 3) uint8 by an exponent that takes its mean to `DARK_MEAN`, as far as allowed."""
    mean = float(picture.mean())
    if not 0 < mean < DARK_MEAN:
        return picture
    exponent = max(STRONGEST_LIFT, math.log(DARK_MEAN / 255) / math.log(mean / 255))
    table = (255 * (np.arange(256) / 255) ** exponent).round().astype(np.uint8)
    return table[picture]


def pale_objects(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(H, W) bool: the pixels of objects that are, like the background, above `BRIGHT` in a picture (H, W, 3) uint8."""
    ids = np.union1d(np.unique(labels), [0])
    areas, sums = np.zeros(len(ids)), np.zeros(len(ids))
    for band in _bands(labels):
        compact = np.searchsorted(ids, labels[band]).ravel()
        areas += np.bincount(compact, minlength=len(ids))
        sums += np.bincount(compact, picture[band].mean(axis=2, dtype=np.float32).ravel(), len(ids))
    bright = sums > BRIGHT * areas
    bright &= bright[ids == 0]
    bright[ids == 0] = False
    result = np.empty(labels.shape, bool)
    for band in _bands(labels):
        result[band] = bright[np.searchsorted(ids, labels[band])]
    return result


def _outlines(labels: np.ndarray, band: slice) -> np.ndarray:
    """The pixels of a band at the inner border of their object, which the rows around the band decide, too."""
    above = min(1, band.start)
    around = labels[band.start - above : band.stop + 1]
    return find_boundaries(around, mode="inner")[above : above + len(labels[band])]


def stretch(image: np.ndarray) -> np.ndarray:
    """The image as (H, W, 3) uint8, its darkest and brightest half percent clipped: made to be seen.

    All channels are stretched alike, so that colours stay what they are. Of large images a regular sample
    decides: sorting every value would cost seconds.
    """
    step = max(1, math.isqrt(image[0].size // SAMPLE))
    low, high = np.percentile(image[:, ::step, ::step], (0.5, 99.5)).astype(np.float32)
    picture = np.empty((*image.shape[1:], 3), np.uint8)
    for band in _bands(picture):
        scaled = (image[:, band] - low) / max(high - low, 1e-6)
        picture[band] = (255 * scaled.clip(0, 1)).round().astype(np.uint8).transpose(1, 2, 0)
    return picture


def _bands(pixels: np.ndarray) -> Iterator[slice]:
    """Cut (H, W, ...) into bands of rows: what is computed of a large image is as large as a few of them."""
    rows = max(1, BAND // max(1, pixels.shape[1]))
    for first in range(0, len(pixels), rows):
        yield slice(first, first + rows)


def colour_labels(labels: np.ndarray) -> np.ndarray:
    """(H, W) labels -> (H, W, 3) uint8, background black; the same labels always get the same colours."""
    ids = np.union1d(np.unique(labels), [0])
    compact = np.empty(labels.shape, np.int32)
    for band in _bands(labels):
        compact[band] = np.searchsorted(ids, labels[band])
    table = np.zeros((int(compact.max(initial=0)) + 1, 3), np.uint8)
    table[1:] = PALETTE[_choose(_neighbours(compact, len(table)), _centres(compact, len(table)))[1:]]
    return table[compact]


def _choose(neighbours: list[set[int]], centres: np.ndarray) -> np.ndarray:
    """Index into the palette of each label, by greedy colouring of the neighbours' graph; of 0 unused.

    Objects with the most neighbours choose first; each takes the colour that is rarest among its neighbours,
    then the one whose nearest bearer is farthest; beyond the `NEAR` nearest objects all are equally far. Only an
    object with as many neighbours as there are colours can miss one.
    """
    chosen = np.full(len(neighbours), -1)
    if len(neighbours) == 1:
        return chosen
    count = min(NEAR, len(neighbours) - 1)
    distances, near = cKDTree(centres[1:]).query(centres[1:], np.arange(1, count + 1))
    for label in sorted(range(1, len(neighbours)), key=lambda label: (-len(neighbours[label]), label)):
        taken = chosen[list(neighbours[label])]
        clashes = np.bincount(taken[taken >= 0], minlength=len(PALETTE))
        borne = chosen[near[label - 1] + 1]
        nearest = np.full(len(PALETTE), np.inf)
        np.minimum.at(nearest, borne[borne >= 0], distances[label - 1][borne >= 0])
        chosen[label] = np.lexsort((-nearest, clashes))[0]
    return chosen


def _centres(compact: np.ndarray, count: int) -> np.ndarray:
    """(count, 2) centre of mass of each label; labels are 0..count - 1, and all but 0 are there."""
    areas, sums = np.zeros(count), np.zeros((count, 2))
    for band in _bands(compact):
        flat = compact[band].ravel()
        areas += np.bincount(flat, minlength=count)
        for axis, index in enumerate(np.indices(compact[band].shape, np.int32)):
            sums[:, axis] += np.bincount(flat, index.ravel() + (0 if axis else band.start), count)
    return sums / np.maximum(areas, 1)[:, None]


def _neighbours(compact: np.ndarray, count: int) -> list[set[int]]:
    """For each of `count` labels those that come within REACH pixels of it, along a row or a column."""
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for step in range(1, REACH + 2):
        for first, second in ((compact[step:], compact[:-step]), (compact[:, step:], compact[:, :-step])):
            differ = (first != second) & (first > 0) & (second > 0)
            pairs = np.unique(first[differ].astype(np.int64) * count + second[differ])
            for one, other in zip((pairs // count).tolist(), (pairs % count).tolist(), strict=True):
                neighbours[one].add(other)
                neighbours[other].add(one)
    return neighbours
