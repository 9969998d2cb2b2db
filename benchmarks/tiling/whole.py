"""Objects that no tile has seen whole: they were stitched from parts, or are one of the parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects

from benchmarks.tiling.grid import tile_starts
from benchmarks.tiling.stitch import BORDER


@dataclass(frozen=True)
class Extent:
    """An object's id and the height and width, in pixels, of the box around it."""

    id: int
    height: int
    width: int


def never_whole(labels: np.ndarray, *, tile: int, overlap: int) -> list[Extent]:
    """Find the objects that come as close to a border of every tile that holds them as cut ones do.

    Args:
        labels: (H, W) integers, 0 background, ids 1..K, stitched by `segment_image` with the same sizes.
        tile: side of a tile in pixels.
        overlap: pixels that neighbouring tiles share at least.
    """
    found = []
    for id, box in enumerate(find_objects(labels), start=1):
        if box and not all(
            _is_whole(side.start, side.stop, length, tile, overlap)
            for side, length in zip(box, labels.shape, strict=True)
        ):
            found.append(Extent(id, *(side.stop - side.start for side in box)))
    return found


def _is_whole(start: int, stop: int, length: int, tile: int, overlap: int) -> bool:
    """Tell whether some tile of an axis holds start..stop-1 away from those of its borders that cut the image."""
    return any(
        (first == 0 or start >= first + BORDER) and (first + tile >= length or stop <= first + tile - BORDER)
        for first in tile_starts(length, tile, overlap)
    )
