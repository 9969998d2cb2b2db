"""The anatomy of one image's errors: each instance's fate, what matches are worth, and the company that truths keep."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from benchmarks.data.sample import IGNORE
from benchmarks.metrics.contingency import ContingencyTable, contingency_table
from benchmarks.metrics.fates import Fates, fates
from benchmarks.metrics.matching import AP_THRESHOLDS_PERCENT, match
from benchmarks.metrics.mending import ErrorCounts
from benchmarks.metrics.relabel import relabel
from benchmarks.metrics.surfaces import matched_distances

REACH = 2
"""Pixels: truths that near touch, also diagonally, so that a drawn line of one pixel between two does not part them."""


@dataclass(frozen=True)
class Anatomy:
    """What became of the K truths and P predictions of an image.

    Attributes:
        table: the contingency table it was read off.
        fates: of every instance.
        ious: (K,) IoU of each truth with its match, 0 where it has none.
        touching: (K,) bool, whether another truth is within `REACH` pixels.
        distances: (M, 2) ASSD and HD95 of each match, pixels.
    """

    table: ContingencyTable
    fates: Fates
    ious: NDArray[np.float64]
    touching: NDArray[np.bool_]
    distances: NDArray[np.float64]

    @property
    def counts(self) -> ErrorCounts:
        """What shares of PQ and AP are computed from."""
        return ErrorCounts(
            truths=_unmatched(self.fates.truths),
            predictions=_unmatched(self.fates.predictions),
            iou_sum=match(self.table).iou_sum,
            matched_at=[match(self.table, percent).matched for percent in AP_THRESHOLDS_PERCENT],
        )


def anatomy(truth: ArrayLike, prediction: ArrayLike) -> Anatomy:
    """Dissect the errors of a prediction.

    Args:
        truth: (H, W) integers, 0 background, `IGNORE` where nothing is known.
        prediction: the same shape and convention, but for `IGNORE`.

    Raises:
        UserError: as `contingency_table`.
    """
    table = contingency_table(truth, prediction)
    found = fates(table)
    true_map, predicted_map = _counted(truth, table.truth_ids), _counted(prediction, table.prediction_ids)
    predicted_map[np.asarray(truth) == IGNORE] = 0  # the outline of a match ends where nothing is known
    ious = np.zeros(table.num_truth)
    ious[table.truth_index[found.matches]] = table.ious[found.matches]
    return Anatomy(
        table, found, ious, touching(true_map), matched_distances(true_map, predicted_map, table, found.matches)
    )


def touching(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell which of K instances have another within `REACH` pixels, in the order of their ids: (H, W) -> (K,) bool."""
    dense, ids, _ = relabel(labels)
    size = 2 * REACH + 1
    highest = maximum_filter(dense, size, mode="nearest")
    lowest = minimum_filter(np.where(dense, dense, len(ids) + 1), size, mode="nearest")
    found = np.zeros(len(ids) + 1, bool)
    found[dense[(dense > 0) & ((highest > dense) | (lowest < dense))]] = True
    return found[1:]


def _counted(labels: ArrayLike, ids: NDArray[np.integer]) -> NDArray[np.integer]:
    """The label map with background where an instance is not in the table."""
    array = np.asarray(labels)
    return np.where(np.isin(array, ids), array, 0)


def _unmatched(found: NDArray[np.str_]) -> dict[str, int]:
    return {kind: count for kind, count in Counter(found.tolist()).items() if kind != "matched"}
