"""Contingency tables made from others: what a change of protocol does to pixels, done to their counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.contingency import ContingencyTable


def pool(tables: Sequence[ContingencyTable]) -> ContingencyTable:
    """Return the one table of several images, as if they lay side by side and shared no instance.

    A metric of it is that metric pooled over the data set, where an image counts by its pixels or instances, not as
    one of N:

    - AJI: Σ intersection / Σ union over the pairs of all images, with everything in no pair in the denominator.
    - Dice: 2·Σ|A∩B| / (Σ|A| + Σ|B|), so that images without foreground count for nothing.
    - F1, PQ: from the total TP, FP and FN and the IoU summed over all matches.
    - SBD: each direction is the mean over the instances of all images, and the lower of these two is taken once,
      where the mean over images takes the lower one of each image.

    Instances get new ids, 1..K and 1..P, image by image.

    Raises:
        ValueError: no table.
    """
    if not tables:
        raise ValueError("there is no table to pool")
    truths, predictions = [table.num_truth for table in tables], [table.num_predicted for table in tables]
    return ContingencyTable(
        truth_ids=np.arange(1, sum(truths) + 1),
        prediction_ids=np.arange(1, sum(predictions) + 1),
        truth_areas=np.concatenate([table.truth_areas for table in tables]),
        prediction_areas=np.concatenate([table.prediction_areas for table in tables]),
        truth_index=_shifted([table.truth_index for table in tables], truths),
        prediction_index=_shifted([table.prediction_index for table in tables], predictions),
        intersections=np.concatenate([table.intersections for table in tables]),
    )


def within_foreground(table: ContingencyTable) -> ContingencyTable:
    """Return the table of the same truth and the prediction times the truth's foreground mask.

    Predicted pixels on the truth's background are gone, and so are predictions that lay there entirely. This tells
    the method where objects are: where the truth is not given with the image, it is a leak.
    """
    areas = np.bincount(table.prediction_index, table.intersections, table.num_predicted).astype(np.int64)
    kept = areas > 0
    return ContingencyTable(
        truth_ids=table.truth_ids,
        prediction_ids=table.prediction_ids[kept],
        truth_areas=table.truth_areas,
        prediction_areas=areas[kept],
        truth_index=table.truth_index,
        prediction_index=(np.cumsum(kept) - 1)[table.prediction_index],
        intersections=table.intersections,
    )


def _shifted(indices: Sequence[NDArray[np.int64]], sizes: Sequence[int]) -> NDArray[np.int64]:
    """The indices of each table, behind those of the tables before it."""
    starts = np.cumsum([0, *sizes[:-1]])
    return np.concatenate([index + start for index, start in zip(indices, starts, strict=True)])
