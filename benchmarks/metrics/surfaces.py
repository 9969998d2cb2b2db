"""Distances between the outlines of matched instances, in pixels.

The outline of a mask is its pixels with one of their four neighbours outside it; beyond the border of the image is
outside. Of a pair, d are the distances from each outline pixel of one mask to the nearest outline pixel of the other,
centre to centre.

- **ASSD**, average symmetric surface distance: the mean of all d of both directions together (Heimann et al., IEEE TMI
  2009; Metrics Reloaded's and MedPy 0.5.2's `assd`). The mean of the two directions' means, MASD, is another figure.
- **HD95**: the higher of the two directions' 95th percentiles, linearly interpolated (Metrics Reloaded; pooling the
  directions, as MedPy does, gives a lower one).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt, find_objects

from benchmarks.metrics.contingency import ContingencyTable
from benchmarks.metrics.relabel import relabel


def matched_distances(
    truth: NDArray[np.integer], prediction: NDArray[np.integer], table: ContingencyTable, matches: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Measure every matched pair.

    Args:
        truth, prediction: (H, W) the label maps that the table was counted from.
        matches: (M,) indices of the table's pairs.

    Returns:
        (M, 2): ASSD and HD95 of each pair, at least 0.
    """
    dense_truth, dense_prediction = relabel(truth)[0], relabel(prediction)[0]
    boxes_truth, boxes_prediction = find_objects(dense_truth), find_objects(dense_prediction)
    distances = np.empty((len(matches), 2))
    for number, pair in enumerate(matches):
        true, predicted = table.truth_index[pair], table.prediction_index[pair]
        box = _joined(boxes_truth[true], boxes_prediction[predicted])
        distances[number] = surface_distances(dense_truth[box] == true + 1, dense_prediction[box] == predicted + 1)
    return distances


def surface_distances(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[float, float]:
    """ASSD and HD95 of two masks (H, W), neither of them empty; what lies beyond the arrays is outside both."""
    outlines = [mask & ~binary_erosion(mask) for mask in (first, second)]
    there = distance_transform_edt(~outlines[1])[outlines[0]]
    back = distance_transform_edt(~outlines[0])[outlines[1]]
    assd = (there.sum() + back.sum()) / (len(there) + len(back))
    return float(assd), float(max(np.percentile(there, 95), np.percentile(back, 95)))


def _joined(first: tuple[slice, ...], second: tuple[slice, ...]) -> tuple[slice, ...]:
    """The smallest box around two."""
    return tuple(
        slice(min(one.start, other.start), max(one.stop, other.stop)) for one, other in zip(first, second, strict=True)
    )
