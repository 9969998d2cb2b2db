"""Metrics that count matched instances: F1, panoptic quality, average precision.

A pair matches where its IoU lies strictly above the threshold. From 0.5 on no instance can then be in two
pairs, so no assignment is needed, and the comparison is made in integers, so that an IoU of exactly the
threshold never matches, whatever the rounding. The panoptic quality of Kirillov et al. (CVPR 2019) and the
Data Science Bowl 2018, which brought this AP into microscopy, also count IoU > threshold, and with one rule
for both an image's F1 and AP50 agree on what was found. StarDist and COCO count IoU ≥ threshold: the metrics
named `…_at_least_half` do, for comparison.

Every value is in [0, 1]; both maps empty is 1, exactly one empty is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.contingency import ContingencyTable, ratio

AP_THRESHOLDS_PERCENT = range(50, 100, 5)


@dataclass(frozen=True)
class Matches:
    """Instances matched at one threshold.

    Attributes:
        matched: pairs that reach the threshold (true positives).
        missed: true instances without a partner (false negatives).
        spurious: predicted instances without a partner (false positives).
        iou_sum: sum of the matched pairs' IoU.
    """

    matched: int
    missed: int
    spurious: int
    iou_sum: float


def match(table: ContingencyTable, percent: int = 50, *, at_least: bool = False) -> Matches:
    """Match instances one to one by IoU.

    Args:
        percent: threshold, at least one half.
        at_least: an IoU of exactly the threshold matches too, as in StarDist; else it has to be above.

    Raises:
        ValueError: `percent` is not in 50..99.
    """
    if not 50 <= percent < 100:
        raise ValueError(f"threshold {percent} %: below 50 % matches are not unique, at 100 % there are none")
    reached = np.greater_equal if at_least else np.greater
    pairs: NDArray[np.integer] = np.flatnonzero(reached(100 * table.intersections, percent * table.unions))
    if at_least:
        pairs = _one_to_one(table, pairs)
    matched = len(pairs)
    return Matches(
        matched=matched,
        missed=table.num_truth - matched,
        spurious=table.num_predicted - matched,
        iou_sum=float(table.ious[pairs].sum()),
    )


def _one_to_one(table: ContingencyTable, pairs: NDArray[np.integer]) -> NDArray[np.integer]:
    """Keep as many of the pairs, of IoU at least 0.5, as an assignment can.

    An instance is in two of them only where both partners lie inside it and are half of it each; they are then in
    no other pair, so any one of the two will do.
    """
    for index in (table.truth_index, table.prediction_index):
        pairs = pairs[np.sort(np.unique(index[pairs], return_index=True)[1])]
    return pairs


def f1(table: ContingencyTable) -> float:
    """Return TP / (TP + FP/2 + FN/2) at IoU > 0.5, the detection quality DQ of panoptic quality."""
    return _detection_quality(match(table))


def f1_at_least_half(table: ContingencyTable) -> float:
    """Return F1 at IoU ≥ 0.5, as StarDist counts."""
    return _detection_quality(match(table, at_least=True))


def segmentation_quality(table: ContingencyTable) -> float:
    """Return SQ, the mean IoU of the matches at IoU > 0.5; 0 where instances exist and none match."""
    return _segmentation_quality(match(table))


def panoptic_quality(table: ContingencyTable) -> float:
    """Return PQ = DQ · SQ with one class of things and no stuff."""
    return f1(table) * segmentation_quality(table)


def panoptic_quality_at_least_half(table: ContingencyTable) -> float:
    """Return PQ of the matches at IoU ≥ 0.5, as StarDist counts."""
    found = match(table, at_least=True)
    return _detection_quality(found) * _segmentation_quality(found)


def precision_at(table: ContingencyTable, percent: int) -> float:
    """Return TP / (TP + FP + FN) at IoU > `percent` / 100: the AP of microscopy, not that of COCO."""
    found = match(table, percent)
    return ratio(found.matched, found.matched + found.missed + found.spurious)


def average_precision(table: ContingencyTable) -> float:
    """Return the mean of `precision_at` over the thresholds 0.50, 0.55, ..., 0.95."""
    return float(np.mean([precision_at(table, percent) for percent in AP_THRESHOLDS_PERCENT]))


def _detection_quality(found: Matches) -> float:
    return ratio(found.matched, found.matched + (found.spurious + found.missed) / 2)


def _segmentation_quality(found: Matches) -> float:
    if not found.matched and (found.missed or found.spurious):
        return 0.0
    return ratio(found.iou_sum, found.matched)
