"""Numbering instances without gaps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from literal_losses import literal_centre

from pctrans.targets import TABLE, build_targets

IDS = st.sampled_from([0, 1, 2, 7, 300, TABLE, TABLE + 1, 2**40])


@given(arrays(np.int64, (2, 4, 5), elements=IDS))
def test_ids_are_numbered_in_their_order_image_by_image(labels: np.ndarray) -> None:
    targets = build_targets(torch.from_numpy(labels))
    for b, image in enumerate(labels):
        ids = [i for i in np.unique(image) if i]
        expected = np.zeros_like(image)
        for number, id in enumerate(ids, 1):
            expected[image == id] = number
        np.testing.assert_array_equal(targets.labels[b].numpy(), expected)
        assert targets.counts[b] == len(ids)
        assert targets.valid[b].tolist() == [k < len(ids) for k in range(max(targets.counts))]
        for k, id in enumerate(ids):
            centre = literal_centre(torch.from_numpy(image == id))
            assert targets.centres[b, k].tolist() == pytest.approx(centre.tolist(), abs=1e-6)
        assert not targets.centres[b, len(ids) :].any()
    assert targets.num_instances == sum(targets.counts)


@given(arrays(np.int64, (2, 16, 24), elements=st.integers(0, 9)), st.sampled_from([4, 8]))
def test_downsampled_labels_are_those_below_and_right_of_the_centres_of_cells(labels: np.ndarray, stride: int) -> None:
    targets = build_targets(torch.from_numpy(labels))
    cells = targets.downsampled(stride)
    assert cells.shape == (2, 16 // stride, 24 // stride)
    for b, y, x in np.ndindex(*cells.shape):
        assert cells[b, y, x] == targets.labels[b, int((y + 0.5) * stride), int((x + 0.5) * stride)]


@given(arrays(np.int64, (2, 8, 12), elements=st.integers(0, 4)), st.sampled_from([1, 2, 4]))
def test_shares_and_majorities_of_cells_against_loops(labels: np.ndarray, stride: int) -> None:
    targets = build_targets(torch.from_numpy(labels))
    shares, most = targets.coverage(stride), targets.majority(stride)
    assert shares.shape == (2, max(targets.counts), *most.shape[1:])
    for b, y, x in np.ndindex(2, 8 // stride, 12 // stride):
        pixels = targets.labels[b, y * stride : (y + 1) * stride, x * stride : (x + 1) * stride].flatten().tolist()
        assert shares[b, :, y, x].tolist() == [pixels.count(k + 1) / stride**2 for k in range(max(targets.counts))]
        objects = [pixel for pixel in pixels if pixel]
        assert most[b, y, x] == (max(objects, key=pixels.count) if objects else 0)  # the first of equals


def test_centres_are_centres_of_mass() -> None:
    labels = torch.zeros(1, 4, 8, dtype=torch.long)
    labels[0, 1:3, 4:8] = 9
    targets = build_targets(labels)
    assert targets.centres[0, 0].tolist() == pytest.approx([0.75, 0.5])
