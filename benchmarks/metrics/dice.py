"""Overlap of the foregrounds, and of instances by their best partner.

All are in [0, 1]; both maps empty is 1 but for `dice_zero_if_empty`, exactly one empty is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.contingency import ContingencyTable, ratio


def dice(table: ContingencyTable) -> float:
    """Return 2·|A∩B| / (|A| + |B|) of the foreground masks, instances ignored.

    The evaluation released with PCTrans answers 0 where both are empty; here that is 1.
    """
    foregrounds = table.truth_areas.sum() + table.prediction_areas.sum()
    return ratio(2 * table.intersections.sum(), foregrounds)


def dice_zero_if_empty(table: ContingencyTable) -> float:
    """Return Dice as the evaluation released with PEA and PCTrans: 0 where both foregrounds are empty."""
    return dice(table) if table.num_truth or table.num_predicted else 0.0


def symmetric_best_dice(table: ContingencyTable) -> float:
    """Return SBD: the lower of the mean best Dice of the truths and that of the predictions.

    Scharr et al., "Leaf segmentation in plant phenotyping: a collation study", Machine Vision and
    Applications 2016. The mean is over the instances present, so gaps in the ids don't lower it. The CVPPP
    challenge reported the higher of the two until late 2021: figures from before are not comparable.
    """
    return min(_best_dice(table))


def symmetric_best_dice_max(table: ContingencyTable) -> float:
    """Return the higher of the two means, which the CVPPP challenge reported until late 2021."""
    directions = _best_dice(table)
    # Of nothing, the mean is 1: no claim was wrong. That is not to make an empty prediction perfect.
    return max(directions) if table.num_truth and table.num_predicted else min(directions)


def _best_dice(table: ContingencyTable) -> tuple[float, float]:
    """The mean best Dice of the truths and that of the predictions."""
    scores = 2 * table.intersections / table.pair_areas
    of_truth = _mean_best(scores, table.truth_index, table.num_truth)
    of_prediction = _mean_best(scores, table.prediction_index, table.num_predicted)
    return of_truth, of_prediction


def _mean_best(scores: NDArray[np.float64], index: NDArray[np.int64], count: int) -> float:
    best = np.zeros(count)
    np.maximum.at(best, index, scores)
    return ratio(best.sum(), count)
