"""Truths by size and crowding, by hand."""

from __future__ import annotations

import numpy as np

from benchmarks.anatomy.grouping import GROUPS, group_counts, quartiles
from benchmarks.metrics.anatomy import anatomy
from benchmarks.store.anatomy import FateCounts


def row(*lengths: int) -> np.ndarray:
    """Instances of these lengths side by side, each three pixels from the next but the first two, which touch."""
    parts = [np.full(length, id) for id, length in enumerate(lengths, 1)]
    gap = np.zeros(3, int)
    return np.concatenate([parts[0], *(piece for part in parts[1:] for piece in (part, gap))])[None]


def test_quarters_end_at_quartiles_of_all_images() -> None:
    """Areas 1, 2, 3, 4 and 5: quartiles 2, 3 and 4, each of which belongs to the quarter below it."""
    first, second = row(1, 2, 3), row(4, 5)
    found = [anatomy(first, first * (first != 2)), anatomy(second, second)]
    bounds = quartiles(found)
    assert bounds == (2, 3, 4)
    one, other = (group_counts(each, bounds) for each in found)
    assert one["size_1"] == FateCounts(matched=1, missed=1, iou_sum=1.0)
    assert one["size_2"] == FateCounts(matched=1, iou_sum=1.0)
    assert "size_3" not in one and "size_4" not in one
    assert (other["size_3"].truths, other["size_4"].truths) == (1, 1)
    assert (one["touching"].truths, one["apart"].truths, one["touching"].missed) == (2, 1, 1)
    assert set(one) | set(other) == set(GROUPS)


def test_no_truth_has_no_quartiles() -> None:
    empty = np.zeros((3, 3), int)
    found = anatomy(empty, empty)
    assert quartiles([]) is None and quartiles([found]) is None
    assert group_counts(found, None) == {}
