"""Renumbering of instances without gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A direct count over all possible values beats sorting while it needs no more than this many cells a pixel.
CELLS_PER_PIXEL = 8


def relabel(
    labels: NDArray[np.integer],
) -> tuple[NDArray[np.int64], NDArray[np.integer], NDArray[np.int64]]:
    """Renumber the instances of a label map 1..K in the order of their ids; background stays 0.

    Args:
        labels: non-negative integers of any shape; ids may have gaps and any size.

    Returns:
        The renumbered map in the same shape, the old ids (K,) ascending, and the areas (K,) in pixels.
    """
    if is_countable(labels):
        histogram = np.bincount(labels.ravel().astype(np.int64, copy=False))
        histogram[0] = 0
        ids = np.flatnonzero(histogram)
        lookup = np.zeros(len(histogram), np.int64)
        lookup[ids] = np.arange(1, len(ids) + 1)
        return lookup[labels], ids, histogram[ids]
    ids, position, areas = np.unique(labels, return_inverse=True, return_counts=True)
    position = position.reshape(labels.shape)
    if len(ids) and ids[0] == 0:
        return position, ids[1:], areas[1:]
    return position + 1, ids, areas


def is_countable(values: NDArray[np.integer]) -> bool:
    """Tell whether a histogram with a cell for every value up to the highest is cheap."""
    return values.size > 0 and int(values.max()) < CELLS_PER_PIXEL * values.size
