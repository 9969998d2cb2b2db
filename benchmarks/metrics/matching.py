"""Metrics that count matched instances: F1, panoptic quality, average precision.

A pair matches where its IoU lies strictly above the threshold. From 0.5 on no instance can then be in two
pairs, so no assignment is needed, and the comparison is made in integers, so that an IoU of exactly the
threshold never matches, whatever the rounding. The panoptic quality of Kirillov et al. (CVPR 2019) and the
Data Science Bowl 2018, which brought this AP into microscopy, also count IoU > threshold, and with one rule
for both an image's F1 and AP50 agree on what was found. StarDist and COCO count IoU ≥ threshold.

Every value is in [0, 1]; both maps empty is 1, exactly one empty is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.metrics.contingency import ContingencyTable, ratio

AP_THRESHOLDS_PERCENT = range(50, 100, 5)


@dataclass(frozen=True)
class Matches:
    """Instances matched at one threshold.

    Attributes:
        matched: pairs above the threshold (true positives).
        missed: true instances without a partner (false negatives).
        spurious: predicted instances without a partner (false positives).
        iou_sum: sum of the matched pairs' IoU.
    """

    matched: int
    missed: int
    spurious: int
    iou_sum: float


def match(table: ContingencyTable, percent: int = 50) -> Matches:
    """Match instances with IoU strictly above `percent` / 100, which must be at least one half.

    Raises:
        ValueError: `percent` is not in 50..99.
    """
    if not 50 <= percent < 100:
        raise ValueError(f"threshold {percent} %: below 50 % matches are not unique, at 100 % there are none")
    above = 100 * table.intersections > percent * table.unions
    matched = int(above.sum())
    return Matches(
        matched=matched,
        missed=table.num_truth - matched,
        spurious=table.num_predicted - matched,
        iou_sum=float(table.ious[above].sum()),
    )


def f1(table: ContingencyTable) -> float:
    """Return TP / (TP + FP/2 + FN/2) at IoU > 0.5, the detection quality DQ of panoptic quality."""
    found = match(table)
    return ratio(found.matched, found.matched + (found.spurious + found.missed) / 2)


def segmentation_quality(table: ContingencyTable) -> float:
    """Return SQ, the mean IoU of the matches at IoU > 0.5; 0 where instances exist and none match."""
    found = match(table)
    if not found.matched and (found.missed or found.spurious):
        return 0.0
    return ratio(found.iou_sum, found.matched)


def panoptic_quality(table: ContingencyTable) -> float:
    """Return PQ = DQ · SQ with one class of things and no stuff."""
    return f1(table) * segmentation_quality(table)


def precision_at(table: ContingencyTable, percent: int) -> float:
    """Return TP / (TP + FP + FN) at IoU > `percent` / 100: the AP of microscopy, not that of COCO."""
    found = match(table, percent)
    return ratio(found.matched, found.matched + found.missed + found.spurious)


def average_precision(table: ContingencyTable) -> float:
    """Return the mean of `precision_at` over the thresholds 0.50, 0.55, ..., 0.95."""
    return float(np.mean([precision_at(table, percent) for percent in AP_THRESHOLDS_PERCENT]))
