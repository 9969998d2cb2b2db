"""What became of every true and every predicted instance: found, or lost to which kind of error.

All is read off the contingency table. A prediction *holds* a truth if it covers more than half of it, and *lies in* a
truth if more than half of it is in there. Each truth has at most one holder and each prediction lies in at most one
truth, so there are no ties, and a chain of overlapping instances comes apart by itself: the order of ids decides
nothing.

In this order, the first that applies:

- **matched**: IoU > 0.5, as F1 and PQ count.
- **merged**: a prediction that holds several truths, and each truth it holds.
- **split**: a truth in which several predictions lie, and each of these predictions.
- **localisation**: a truth and a prediction, neither of them in any of the above, with an IoU of at least 0.1: the
  instance was seen, and its extent is wrong.
- **missed**: any other truth. **spurious**: any other prediction.

What is matched may still have an inexact outline: the **boundary** error, which costs 1 - IoU.

Sources. Caicedo et al. ("Evaluation of deep learning strategies for nucleus segmentation in fluorescence images",
Cytometry A 2019) count a prediction with IoU > 0.1 to several truths as a merge, a truth with several such predictions
as a split, and both once more where they chain; a clump of ten nuclei under one prediction has no IoU above 0.1 and is
none. Coverage of more than half is the rule by which the Cell Tracking Challenge assigns a prediction to a truth (SEG;
Maška et al., Bioinformatics 2014), here in both directions. Localisation is TIDE's (Bolya et al., ECCV 2020), with its
threshold of 0.1. panoptica counts true and false positives and negatives, and may merge several predictions into one
reference, which hides a split. Metrics Reloaded (Maier-Hein et al., Nature Methods 2024) has an overlap of more than
one half among its ways to assign instances: it leaves no ties.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.contingency import ContingencyTable

TRUTH_FATES = ("matched", "missed", "merged", "split", "localisation")
PREDICTION_FATES = ("matched", "spurious", "merged", "split", "localisation")

LOCALISATION_PERCENT = 10
"""The least IoU of a truth and a prediction that belong together, though they do not match: TIDE's."""


@dataclass(frozen=True)
class Fates:
    """The fates of K true and P predicted instances, in the order of the table.

    Attributes:
        truths: (K,) names of `TRUTH_FATES`.
        predictions: (P,) names of `PREDICTION_FATES`.
        matches: indices of the table's pairs that match.
        merging: (P,) bool, whether the prediction holds several truths; it may match one of them.
        fragmented: (K,) bool, whether several predictions lie in the truth; one of them may match it.
    """

    truths: NDArray[np.str_]
    predictions: NDArray[np.str_]
    matches: NDArray[np.intp]
    merging: NDArray[np.bool_]
    fragmented: NDArray[np.bool_]


def fates(table: ContingencyTable) -> Fates:
    """Say what became of each instance, by the rules above."""
    of_truth, of_prediction, shared = table.truth_index, table.prediction_index, table.intersections
    held = 2 * shared > table.truth_areas[of_truth]
    inside = 2 * shared > table.prediction_areas[of_prediction]
    merging = np.bincount(of_prediction[held], minlength=table.num_predicted) > 1
    fragmented = np.bincount(of_truth[inside], minlength=table.num_truth) > 1
    matches = np.flatnonzero(2 * shared > table.unions)

    truths = np.full(table.num_truth, "missed", "<U12")
    predictions = np.full(table.num_predicted, "spurious", "<U12")
    truths[fragmented] = "split"
    predictions[of_prediction[inside & fragmented[of_truth]]] = "split"
    truths[of_truth[held & merging[of_prediction]]] = "merged"
    predictions[merging] = "merged"
    truths[of_truth[matches]] = predictions[of_prediction[matches]] = "matched"

    open_pair = (truths[of_truth] == "missed") & (predictions[of_prediction] == "spurious")
    near = open_pair & (100 * shared >= LOCALISATION_PERCENT * table.unions)
    truths[of_truth[near]] = predictions[of_prediction[near]] = "localisation"
    return Fates(truths, predictions, matches, merging, fragmented)
