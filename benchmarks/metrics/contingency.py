"""The one table every metric is computed from: how many pixels each truth shares with each prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.data.sample import IGNORE
from benchmarks.errors import UserError
from benchmarks.metrics.relabel import is_countable, relabel


@dataclass(frozen=True)
class ContingencyTable:
    """Pixel counts of K true and P predicted instances; background is left out of both.

    The pairs are those that overlap, M of them, ordered by truth, then by prediction.

    Attributes:
        truth_ids: (K,) the ids found in the truth, ascending.
        prediction_ids: (P,) the ids found in the prediction, ascending.
        truth_areas: (K,) int64, pixels.
        prediction_areas: (P,) int64, pixels.
        truth_index: (M,) row of each pair, 0..K-1.
        prediction_index: (M,) column of each pair, 0..P-1.
        intersections: (M,) int64, pixels shared by each pair, at least 1.
    """

    truth_ids: NDArray[np.integer]
    prediction_ids: NDArray[np.integer]
    truth_areas: NDArray[np.int64]
    prediction_areas: NDArray[np.int64]
    truth_index: NDArray[np.int64]
    prediction_index: NDArray[np.int64]
    intersections: NDArray[np.int64]

    @property
    def num_truth(self) -> int:
        """K, the number of true instances."""
        return len(self.truth_areas)

    @property
    def num_predicted(self) -> int:
        """P, the number of predicted instances."""
        return len(self.prediction_areas)

    @property
    def pair_areas(self) -> NDArray[np.int64]:
        """(M,) area of the truth plus area of the prediction, of each pair."""
        return self.truth_areas[self.truth_index] + self.prediction_areas[self.prediction_index]

    @property
    def unions(self) -> NDArray[np.int64]:
        """(M,) pixels in either of each pair."""
        return self.pair_areas - self.intersections

    @property
    def ious(self) -> NDArray[np.float64]:
        """(M,) intersection over union of each pair, in (0, 1]."""
        return self.intersections / self.unions


def contingency_table(truth: ArrayLike, prediction: ArrayLike) -> ContingencyTable:
    """Count the pixels that instances of two label maps share.

    Pixels where the truth is `IGNORE` belong to nothing, on either side. A prediction that lies there with more than
    half of its pixels is left out whole, unless the rest of it matches an instance (IoU > 0.5).

    Args:
        truth: (H, W) integers, 0 background, `IGNORE` where nothing is known; ids may have gaps and any size.
        prediction: the same shape and convention, but for `IGNORE`.

    Raises:
        UserError: a map is not two-dimensional, not of integers or has negative ids, or the shapes differ.
    """
    true_map = _checked(truth, "truth", lowest=IGNORE)
    predicted_map = _checked(prediction, "prediction", lowest=0)
    if true_map.shape != predicted_map.shape:
        raise UserError(
            f"the truth is {_size(true_map)} pixels and the prediction {_size(predicted_map)} "
            "(height×width): both label maps must have the same size"
        )
    if (ignored := true_map == IGNORE).any():
        true_map, predicted_map = _without_ignored(true_map, predicted_map, ignored)
    dense_truth, truth_ids, truth_areas = relabel(true_map)
    dense_prediction, prediction_ids, prediction_areas = relabel(predicted_map)
    columns = len(prediction_ids) + 1
    codes, intersections = _count((dense_truth * columns + dense_prediction).ravel())
    rows, cols = np.divmod(codes, columns)
    instances = (rows > 0) & (cols > 0)
    return ContingencyTable(
        truth_ids=truth_ids,
        prediction_ids=prediction_ids,
        truth_areas=truth_areas,
        prediction_areas=prediction_areas,
        truth_index=rows[instances] - 1,
        prediction_index=cols[instances] - 1,
        intersections=intersections[instances],
    )


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient, or 1 where the denominator is 0: nothing was there and nothing was claimed."""
    return float(numerator / denominator) if denominator else 1.0


def _without_ignored(
    truth: NDArray[np.integer], prediction: NDArray[np.integer], ignored: NDArray[np.bool_]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return both maps with background where pixels are ignored, the prediction also less what lies mostly there.

    What goes is decided once, at an IoU of 0.5, so that every metric and threshold sees the same instances.
    """
    truth, visible = np.where(ignored, 0, truth), np.where(ignored, 0, prediction)
    table = contingency_table(truth, visible)
    matched = table.prediction_ids[table.prediction_index[2 * table.intersections > table.unions]]
    _, ids, areas = relabel(prediction)
    hidden = np.zeros(len(ids), np.int64)
    _, hidden_ids, hidden_areas = relabel(np.where(ignored, prediction, 0))
    hidden[np.searchsorted(ids, hidden_ids)] = hidden_areas
    left_out = np.setdiff1d(ids[2 * hidden > areas], matched)
    return truth, np.where(np.isin(visible, left_out), 0, visible)


def _checked(labels: ArrayLike, name: str, *, lowest: int) -> NDArray[np.integer]:
    array = np.asarray(labels)
    if array.ndim != 2:
        raise UserError(
            f"the {name} has shape {array.shape}: a label map is (height, width), one integer id a pixel, "
            "and a colour image is none"
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise UserError(f"the {name} holds {array.dtype} values: a label map holds integer ids")
    if array.size and np.issubdtype(array.dtype, np.signedinteger) and array.min() < lowest:
        raise UserError(f"the {name} holds the negative id {array.min()}: ids start at 1 and 0 is background")
    return array


def _size(array: NDArray[np.integer]) -> str:
    return "×".join(str(length) for length in array.shape)


def _count(flat: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct values, ascending, and how often each occurs."""
    if is_countable(flat):
        histogram = np.bincount(flat)
        values = np.flatnonzero(histogram)
        return values, histogram[values]
    return np.unique(flat, return_counts=True)
