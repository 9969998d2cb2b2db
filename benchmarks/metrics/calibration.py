"""Whether scores can be believed: the share of objects of a score that is right, and what a ranking by score is worth.

An object is right if it matches a true one, IoU > 0.5, as everywhere here. A method is calibrated where of the objects
with score s the share s is right. Bins are ten of equal width (Guo et al., "On calibration of modern neural networks",
ICML 2017), each with its upper edge, the first with 0 as well.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.metrics.contingency import ContingencyTable

BINS = 10
RECALLS = np.linspace(0, 1, 101)
"""Where COCO reads the precision off."""

Floats = NDArray[np.float64]


def matched_ious(table: ContingencyTable) -> Floats:
    """The IoU of each prediction (P,) with the truth that it matches (IoU > 0.5), 0 for those that match none."""
    matched = 2 * table.intersections > table.unions
    ious = np.zeros(table.num_predicted)
    ious[table.prediction_index[matched]] = table.ious[matched]
    return ious


def bin_sums(scores: ArrayLike, ious: ArrayLike) -> Floats:
    """Sum objects up by bin, so that sums of several images can be added.

    Args:
        scores: (P,) in [0, 1].
        ious: (P,) of the match of each, 0 for none.

    Returns:
        (BINS, 4): the number of objects, their scores, how many are matched, and the IoU of these.
    """
    score, iou = np.asarray(scores, np.float64), np.asarray(ious, np.float64)
    # Edges of np.linspace are tenths or one rounding above: `left` puts a score of a tenth below its edge either way.
    place = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], score, side="left")
    parts = (np.ones_like(score), score, (iou > 0).astype(np.float64), iou)
    return np.stack([np.bincount(place, part, minlength=BINS) for part in parts], axis=1)


def expected_calibration_error(sums: Floats) -> Floats:
    """The mean over objects of how far their bin's mean score is from its share of matches.

    Args:
        sums: (..., BINS, 4) as of `bin_sums`, or weighted.

    Returns:
        (...) in [0, 1]; 0 where there are no objects, as nothing was claimed.
    """
    objects, score, matched = sums[..., 0], sums[..., 1], sums[..., 2]
    total = objects.sum(-1)
    return np.abs(score - matched).sum(-1) / np.where(total > 0, total, 1)


def ranked_average_precision(scores: ArrayLike, ious: ArrayLike, truths: int, percent: int = 50) -> float:
    """Area under the precision over recall of objects ranked by score, as COCO takes it: at 101 recalls.

    This is not the AP of the catalogue, which takes label maps as they are. COCO's crowds, sizes and its limit of 100
    objects an image have no part in it; IoU has to be above the threshold, and objects of one score count together, so
    that their order does not matter.

    Args:
        scores: (P,) of the objects of all images.
        ious: (P,) of the match of each at IoU > 0.5, 0 for none.
        truths: how many true objects there are in all images.
        percent: threshold of the IoU, at least 50.

    Returns:
        In [0, 1]; NaN where there is no truth.
    """
    if not truths:
        return math.nan
    score, iou = np.asarray(scores, np.float64), np.asarray(ious, np.float64)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True)[: len(order)])
    found = np.cumsum(100 * iou[order] > percent)[ends]
    recall, precision = found / truths, found / (ends + 1)
    highest = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(highest[np.searchsorted(recall, RECALLS, side="left")].mean())
