"""The aggregated Jaccard index and its variants.

Kumar et al., "A Dataset and a Technique for Generalized Nuclear Segmentation for Computational Pathology",
IEEE TMI 2017, algorithm 1; AJI+: Graham et al., "HoVer-Net", Medical Image Analysis 2019.

All are in [0, 1]; both maps empty is 1, exactly one empty is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, identity
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from benchmarks.metrics.contingency import ContingencyTable, ratio


def aji(table: ContingencyTable) -> float:
    """Return AJI: each truth takes the prediction of highest IoU, which several truths may share.

    Σ intersection / Σ union over those pairs, where a truth that nothing overlaps adds its own area to the
    denominator and so does every prediction that was never taken. Of predictions with the same IoU the one
    with the lowest id is taken.
    """
    ious = table.ious
    # Sorted by truth, then by falling IoU; the sort is stable, so equal IoUs stay in the order of their ids.
    order = np.lexsort((-ious, table.truth_index))
    first = np.unique(table.truth_index[order], return_index=True)[1]
    return _aggregate(table, order[first])


def aji_plus(table: ContingencyTable) -> float:
    """Return AJI+: a one-to-one assignment of the highest total IoU in place of AJI's free choice.

    Unassigned truths and predictions add their areas to the denominator. Where several assignments reach
    the highest total, one of them is used.
    """
    return _aggregate(table, _best_assignment(table, table.ious))


def aji_pea(table: ContingencyTable) -> float:
    """Return the AJI of the evaluation released with PEA and PCTrans, to compare with figures made by it.

    It differs from `aji` twice. Truths choose in the order of their ids, and a prediction that was taken is
    gone. And a truth with nothing left to overlap takes the first prediction, by an argmax over zeros: if
    nobody had taken that one, its area joins the truth's in the denominator, and it is gone as well.
    """
    if not table.num_predicted:
        return ratio(0, table.num_truth)
    ious, taken = table.ious, np.zeros(table.num_predicted, bool)
    starts = np.searchsorted(table.truth_index, np.arange(table.num_truth + 1))
    intersection, union = 0, 0
    for truth, area in enumerate(table.truth_areas):
        pairs = np.arange(starts[truth], starts[truth + 1])
        pairs = pairs[~taken[table.prediction_index[pairs]]]
        if pairs.size:
            best = pairs[np.argmax(ious[pairs])]
            chosen = table.prediction_index[best]
            intersection += table.intersections[best]
            union += table.unions[best]
        else:
            chosen = 0
            union += area if taken[0] else area + table.prediction_areas[0]
        taken[chosen] = True
    return ratio(intersection, union + table.prediction_areas[~taken].sum())


def aji_cellpose(table: ContingencyTable) -> float:
    """Return what Cellpose's `metrics.aggregated_jaccard_index` calls AJI, to compare with figures made by it.

    Σ intersection over pairs of a one-to-one assignment, over the pixels that are foreground in either map. As many
    pairs as possible have an IoU of at least 0.5, then the total IoU is the highest; where several assignments reach
    that, one of them is used.
    """
    fewest = max(1, min(table.num_truth, table.num_predicted))
    pairs = _best_assignment(table, (table.ious >= 0.5) + table.ious / (2 * fewest))
    shared = table.intersections.sum()  # pixels that are foreground in both
    return ratio(table.intersections[pairs].sum(), table.truth_areas.sum() + table.prediction_areas.sum() - shared)


def _aggregate(table: ContingencyTable, pairs: NDArray[np.integer]) -> float:
    """Return Σ intersection / Σ union of the pairs, with the areas of what is in none in the denominator."""
    lone_truth, lone_prediction = np.ones(table.num_truth, bool), np.ones(table.num_predicted, bool)
    lone_truth[table.truth_index[pairs]] = False
    lone_prediction[table.prediction_index[pairs]] = False
    alone = table.truth_areas[lone_truth].sum() + table.prediction_areas[lone_prediction].sum()
    return ratio(table.intersections[pairs].sum(), table.unions[pairs].sum() + alone)


def _best_assignment(table: ContingencyTable, gains: NDArray[np.float64]) -> NDArray[np.integer]:
    """Return the pairs of a one-to-one assignment of the highest total gain; gains (M,) are positive."""
    if not len(table.intersections):
        return np.empty(0, np.int64)
    shape = (table.num_truth, table.num_predicted)
    # SciPy's sparse solver gives every row a column: one of its own, of weight 0, lets a truth stay alone.
    # Its zeros are no edges, hence one more on all weights, which shifts each full assignment equally.
    shifted = csr_array((1 + gains, (table.truth_index, table.prediction_index)), shape)
    weights = hstack([shifted, identity(table.num_truth)])
    _, column_of = min_weight_full_bipartite_matching(weights, maximize=True)  # truth by truth
    return np.flatnonzero(column_of[table.truth_index] == table.prediction_index)
