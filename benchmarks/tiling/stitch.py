"""Stitching of tiles' label maps by agreement where they overlap.

Tiles come in raster order. An object that ends at the border of a tile may go on beyond it, so a neighbour that has
seen beyond that border knows better.
"""

from __future__ import annotations

import numpy as np

from benchmarks.metrics import ContingencyTable, contingency_table, relabel
from benchmarks.tiling.grid import Tile

# Masks rarely reach the last pixel of a tile: an object that comes this close to its border, in pixels,
# counts as cut by it.
BORDER = 4


class Stitcher:
    """A label map that grows tile by tile.

    Attributes:
        canvas: (H, W) int32; ids have gaps while tiles are being added.
        confidence: (H, W) float32, that of each pixel of an object, as the tile that painted it says; on the background
            it means nothing. None where tiles say none.
    """

    def __init__(self, height: int, width: int, *, chains: bool = False) -> None:
        """Args: chains: whether one object of a tile may join several that were apart in the tiles before it."""
        self.canvas = np.zeros((height, width), np.int32)
        self.confidence: np.ndarray | None = None
        self._highest_id = 0
        self._chains = chains
        # The id that each id has become; ids outside of a tile are looked up when they are seen again.
        self._become = np.zeros(1, np.int32)

    def add(self, labels: np.ndarray, tile: Tile, confidence: np.ndarray | None = None) -> None:
        """Place the label map (h, w) of the next tile in raster order.

        An old and a new object are the same where their IoU within the area seen before is above 0.5. Then
        the one that is whole wins over the one that a border cut, the old one if both are whole; if both are
        cut (the object is larger than the overlap), they are joined. Of the objects without a partner,

        - one cut by a border and seen entirely by the other side is dropped: it was not confirmed;
        - any other old one stays;
        - any other new one takes the pixels that are free, if these are more than half of it.

        With `chains`, a new object also joins every old one of which it has more than half, or the other way round, if
        both are cut: an object longer than the overlap may have left a tile and come back to it.

        Args:
            confidence: (h, w) float of the tile's pixels, for all tiles or for none.
        """
        window = self.canvas[tile.top : tile.bottom, tile.left : tile.right]
        window[:] = self._become[window]
        seen = np.zeros(window.shape, bool)
        seen[: tile.seen_rows] = True
        seen[:, : tile.seen_columns] = True
        new, new_ids, _ = relabel(labels)
        num_new = len(new_ids)
        table = contingency_table(window, np.where(seen, new, 0))
        same = 2 * table.intersections > table.unions
        old_matched = table.truth_ids[table.truth_index[same]]
        new_matched = table.prediction_ids[table.prediction_index[same]]

        old_cut = self._cut_before(window, tile)
        new_cut = self._cut_now(new, tile)
        replaced = np.isin(old_matched, old_cut) & ~np.isin(new_matched, new_cut)
        joined = np.isin(old_matched, old_cut) & np.isin(new_matched, new_cut)
        chained = self._chained(table, old_cut, new_cut)
        unconfirmed = np.setdiff1d(np.setdiff1d(old_cut, [*old_matched, *chained[0]]), self._around(tile))
        window[np.isin(window, np.concatenate([old_matched[replaced], unconfirmed]))] = 0

        ids = np.arange(num_new + 1, dtype=np.int32) + np.int32(self._highest_id)
        self._become = np.concatenate([self._become, ids[1:]])
        ids[0] = 0
        ids[new_matched] = old_matched
        self._highest_id += num_new
        paints_seen, paints_unseen = np.ones(num_new + 1, bool), np.ones(num_new + 1, bool)
        paints_seen[new_matched[~(replaced | joined)]] = False
        rejected = self._rejected(new, window, seen, new_cut)
        rejected[new_matched] = rejected[chained[1]] = False
        paints_seen[rejected] = paints_unseen[rejected] = False
        paint = (window == 0) & np.where(seen, paints_seen[new], paints_unseen[new])
        window[paint] = ids[new[paint]]
        if confidence is not None:
            self._note(confidence, paint, tile)
        for old, joining in zip(*chained, strict=True):
            self._join(int(old), int(ids[joining]))

    def _note(self, confidence: np.ndarray, paint: np.ndarray, tile: Tile) -> None:
        if self.confidence is None:
            self.confidence = np.zeros(self.canvas.shape, np.float32)
        self.confidence[tile.top : tile.bottom, tile.left : tile.right][paint] = confidence[paint]

    def finish(self) -> np.ndarray:
        """Return the (H, W) int32 label map with ids 1..K."""
        return relabel(self._become[self.canvas])[0].astype(np.int32)

    def _chained(
        self, table: ContingencyTable, old_cut: np.ndarray, new_cut: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of old and of new objects that are one, pair by pair; none without `chains`."""
        smaller = np.minimum(table.truth_areas[table.truth_index], table.prediction_areas[table.prediction_index])
        old, new = table.truth_ids[table.truth_index], table.prediction_ids[table.prediction_index]
        both_cut = np.isin(old, old_cut) & np.isin(new, new_cut)
        one = both_cut & (2 * table.intersections > smaller) & self._chains
        return old[one], new[one]

    def _join(self, first: int, second: int) -> None:
        """Let two objects, and all that have become one of them, be one."""
        kept, gone = self._become[first], self._become[second]
        self._become[self._become == gone] = kept

    def _cut_before(self, window: np.ndarray, tile: Tile) -> np.ndarray:
        """Return the ids of old objects that end where the area seen before ends, inside this tile."""
        rows, columns = tile.seen_rows, tile.seen_columns
        return _ids(
            window[rows:, max(columns - BORDER, 0) : columns],
            window[max(rows - BORDER, 0) : rows, columns:],
        )

    def _cut_now(self, new: np.ndarray, tile: Tile) -> np.ndarray:
        """Return the ids of new objects that this tile's border cuts where older tiles saw beyond it."""
        inner_right = tile.right < self.canvas.shape[1]
        return _ids(
            new[: min(tile.seen_rows, BORDER)],
            new[:, : min(tile.seen_columns, BORDER)],
            new[: tile.seen_rows, -BORDER:] if inner_right else new[:0],
        )

    def _around(self, tile: Tile) -> np.ndarray:
        """Return the ids of old objects on the ring of pixels around the tile: they go on outside of it."""
        rows = slice(max(tile.top - 1, 0), tile.bottom + 1)
        columns = slice(max(tile.left - 1, 0), tile.right + 1)
        found = _ids(
            self.canvas[max(tile.top - 1, 0) : tile.top, columns],
            self.canvas[tile.bottom : tile.bottom + 1, columns],
            self.canvas[rows, max(tile.left - 1, 0) : tile.left],
            self.canvas[rows, tile.right : tile.right + 1],
        )
        return self._become[found]

    @staticmethod
    def _rejected(new: np.ndarray, window: np.ndarray, seen: np.ndarray, new_cut: np.ndarray) -> np.ndarray:
        """Return, for every new id, whether it is dropped if it has no partner."""
        count = int(new.max(initial=0)) + 1
        area = np.bincount(new.ravel(), minlength=count)
        free = np.bincount(new[window == 0], minlength=count)
        unseen = np.bincount(new[~seen], minlength=count)
        rejected = 2 * free <= area
        rejected[new_cut] |= unseen[new_cut] == 0
        return rejected


def _ids(*parts: np.ndarray) -> np.ndarray:
    """Return the distinct ids in some parts of a label map, background left out."""
    found = np.unique(np.concatenate([part.ravel() for part in parts]))
    return found[found > 0]
