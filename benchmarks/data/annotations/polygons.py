"""Outlines become pixels: a pixel is inside where its centre is, by the even-odd rule.

Coordinates are in pixels from the upper left corner of the image, x to the right and y down, so that the pixel in row r
and column c is the square from (c, r) to (c + 1, r + 1) with its centre at (c + 0.5, r + 0.5). A centre that lies on an
edge belongs to the side with the larger coordinate, so that polygons which share edges share no pixel and leave none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.data.annotations.contract import Size
from benchmarks.errors import UserError

# Beyond this, floats no longer tell apart positions within a pixel; no image is so large.
LARGEST = 1e9
# Crossings of edges and rows held at a time: 100 MB, however long the edges are.
_AT_A_TIME = 2**21

Part = Sequence[np.ndarray]
"""Rings of (N, 2) x, y that are filled together by the even-odd rule: an outline and its holes."""


@dataclass(frozen=True)
class Region:
    """Pixels of an object, in the smallest rectangle that its outlines span inside the image.

    Attributes:
        row, column: of the rectangle's upper left pixel.
        mask: (h, w) bool; a side may be 0.
        clipped: whether the object goes on where the image ends.
    """

    row: int
    column: int
    mask: np.ndarray
    clipped: bool = False


def ring(points: object, name: str) -> np.ndarray:
    """Check the corners of an outline.

    Args:
        points: pairs x, y; further coordinates are dropped.
        name: what to call the outline in errors.

    Returns:
        (N, 2) float64.

    Raises:
        UserError: they are no pairs of numbers, not finite, or beyond `LARGEST`.
    """
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{name}: an outline that is not a list of number pairs ({error}); export it again.") from error
    if array.size == 0:
        return np.empty((0, 2))
    if array.ndim != 2 or array.shape[1] < 2:
        raise UserError(f"{name}: an outline of shape {array.shape}; expected pairs of coordinates, x and y.")
    if not np.isfinite(array).all() or np.abs(array).max() > LARGEST:
        odd = array[~(np.abs(array) <= LARGEST)][0]
        raise UserError(f"{name}: the coordinate {odd}; expected finite numbers of pixels. Export the outlines again.")
    return array[:, :2]


def fill(parts: Sequence[Part], size: Size) -> Region:
    """Find the pixels of an object: the union of its parts, each filled by the even-odd rule."""
    regions = [_fill_part(part, size) for part in parts]
    if len(regions) == 1:
        return regions[0]
    held = [region for region in regions if region.mask.size]
    clipped = any(region.clipped for region in regions)
    if not held:
        return Region(0, 0, np.zeros((0, 0), bool), clipped)
    top, left = min(region.row for region in held), min(region.column for region in held)
    bottom = max(region.row + region.mask.shape[0] for region in held)
    right = max(region.column + region.mask.shape[1] for region in held)
    mask = np.zeros((bottom - top, right - left), bool)
    for region in held:
        rows, columns = region.mask.shape
        mask[region.row - top :, region.column - left :][:rows, :columns] |= region.mask
    return Region(top, left, mask, clipped)


def _fill_part(rings: Part, size: Size) -> Region:
    starts = np.concatenate([*rings, np.empty((0, 2))])
    if not len(starts):
        return Region(0, 0, np.zeros((0, 0), bool))
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    (left, top), (right, bottom) = _first(starts.min(axis=0)), _first(starts.max(axis=0))
    clipped = bool(top < 0 or left < 0 or bottom > size[0] or right > size[1])
    top, left = min(max(top, 0), size[0]), min(max(left, 0), size[1])
    bottom, right = max(min(bottom, size[0]), top), max(min(right, size[1]), left)
    # One column more for crossings beyond the last pixel, which change none.
    toggles = np.zeros((bottom - top, right - left + 1), np.uint8)
    if toggles.size and right > left:
        _add_crossings(toggles, starts - (left, top), ends - (left, top))
    mask = np.bitwise_xor.accumulate(toggles & 1, axis=1)[:, :-1].astype(bool)
    return Region(top, left, mask, clipped)


def _add_crossings(toggles: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
    """Count, at the first pixel whose centre is not left of it, each crossing of an edge with the middle of a row."""
    rows, columns = toggles.shape
    # The same from either end, so that two polygons see the same crossing of an edge that they share.
    upper = np.where((starts[:, 1] <= ends[:, 1])[:, None], starts, ends)
    lower = np.where((starts[:, 1] <= ends[:, 1])[:, None], ends, starts)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(lower[:, 1] - 0.5), 0, rows).astype(np.int64)
    for begin, end in _chunks(last - first):
        counts = (last - first)[begin:end]
        edge = np.repeat(np.arange(begin, end), counts)
        row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
        high, low = upper[edge], lower[edge]
        share = (row + 0.5 - high[:, 1]) / (low[:, 1] - high[:, 1])
        x = high[:, 0] + share * (low[:, 0] - high[:, 0])
        column = np.clip(np.ceil(x - 0.5), 0, columns - 1).astype(np.int64)
        # Wraps at 256, which leaves odd odd.
        np.add.at(toggles.reshape(-1), row * columns + column, np.uint8(1))


def _chunks(counts: np.ndarray) -> list[tuple[int, int]]:
    """Cut edges into runs of about `_AT_A_TIME` crossings, at least one edge each."""
    if not len(counts):
        return []
    chunk = np.cumsum(counts) // _AT_A_TIME
    cuts = np.flatnonzero(np.diff(chunk)) + 1
    bounds = [0, *cuts.tolist(), len(counts)]
    return list(pairwise(bounds))


def _first(corner: np.ndarray) -> tuple[int, int]:
    """The first column and row whose centres are not before a corner."""
    x, y = np.ceil(corner - 0.5)
    return int(x), int(y)
