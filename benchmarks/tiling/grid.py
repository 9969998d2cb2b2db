"""The grid of tiles that covers an image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Tile:
    """A window of the image, and how much of it earlier tiles cover when tiles are stitched in raster order.

    Attributes:
        top: first row.
        left: first column.
        bottom: row after the last.
        right: column after the last.
        seen_rows: rows at its top that the tiles above cover (over the image's full width).
        seen_columns: columns at its left that the tile to the left covers (over this tile's full height).
    """

    top: int
    left: int
    bottom: int
    right: int
    seen_rows: int
    seen_columns: int


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return the first indices of the fewest tiles that cover an axis, evenly spaced.

    The last tile ends with the axis; neighbours share at least `overlap` indices. An axis that is no longer
    than a tile has one tile, at 0.
    """
    if length <= tile:
        return [0]
    gaps = -(-(length - tile) // (tile - overlap))
    return [gap * (length - tile) // gaps for gap in range(gaps + 1)]


def tile_grid(height: int, width: int, tile: int, overlap: int) -> list[Tile]:
    """Return the tiles of an image in raster order; none is longer than the image, whatever `tile`."""
    return [
        Tile(top, left, min(top + tile, height), min(left + tile, width), seen_rows, seen_columns)
        for top, seen_rows in _with_seen(tile_starts(height, tile, overlap), tile)
        for left, seen_columns in _with_seen(tile_starts(width, tile, overlap), tile)
    ]


def _with_seen(starts: list[int], tile: int) -> list[tuple[int, int]]:
    return [(starts[0], 0), *((start, before + tile - start) for before, start in pairwise(starts))]
