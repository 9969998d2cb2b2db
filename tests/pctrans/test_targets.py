"""Numbering instances without gaps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

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
        assert targets.valid[b].sum() == len(ids)


def test_centres_are_centres_of_mass() -> None:
    labels = torch.zeros(1, 4, 8, dtype=torch.long)
    labels[0, 1:3, 4:8] = 9
    targets = build_targets(labels)
    assert targets.centres[0, 0].tolist() == pytest.approx([0.75, 0.5])
