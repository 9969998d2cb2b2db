"""Stray pieces of objects."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import label

from benchmarks.predicting.strays import without_strays


def test_a_small_piece_apart_is_cut_and_a_larger_one_stays() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[0:5, 0:5] = 1  # 25 pixels and a stray of two
    labels[15, 20:22] = 1
    labels[0:4, 10:15] = 2  # 20 pixels and a tenth of them apart, which is no stray
    labels[19, 0:2] = 2
    labels[5, 5] = 3  # touches the first by a corner, and is all there is of it
    found = without_strays(labels)
    expected = labels.copy()
    expected[15, 20:22] = 0
    assert np.array_equal(found, expected) and found.dtype == labels.dtype
    assert labels[15, 20] == 1, "the labels that were given are as they were"


def test_pixels_that_touch_by_a_corner_are_one_piece() -> None:
    labels = np.ones((16, 16), np.uint16) * np.eye(16, dtype=np.uint16)
    assert np.array_equal(without_strays(labels), labels)


@given(arrays(np.int32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 4)))
def test_every_object_keeps_its_largest_piece_and_nothing_is_added(labels: np.ndarray) -> None:
    found = without_strays(labels)
    assert ((found == labels) | (found == 0)).all()
    for id in np.unique(labels[labels > 0]):
        areas = np.bincount(label(labels == id, np.ones((3, 3)))[0].ravel())[1:]
        left = np.bincount(label(found == id, np.ones((3, 3)))[0].ravel())[1:]
        assert sorted(left) == sorted(area for area in areas if area >= 0.1 * areas.max())
