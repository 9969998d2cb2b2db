"""Cluster-then-average on masks whose result is known."""

from __future__ import annotations

import pytest
import torch

from pctrans.config import InferenceConfig
from pctrans.inference import cluster_then_average


def disc(size: int, top: int, left: int, side: int, logit: float = 6.0) -> torch.Tensor:
    mask = torch.full((size, size), -6.0)
    mask[top : top + side, left : left + side] = logit
    return mask


CONFIG = InferenceConfig(binarise_threshold=0.5, group_threshold=0.5, mask_threshold=0.5, min_area=0)


def test_similar_queries_are_averaged_into_one_object() -> None:
    masks = torch.stack([disc(16, 2, 2, 6), disc(16, 2, 3, 6), disc(16, 9, 9, 6)])
    labels = cluster_then_average(masks, (16, 16), CONFIG)
    assert labels.unique().tolist() == [0, 1, 2]
    # The two votes agree on columns 3 to 7; at columns 2 and 8 they average to one half and lose.
    first = labels[2, 4]
    assert (labels == first).nonzero().amin(0).tolist() == [2, 3]
    assert (labels == first).nonzero().amax(0).tolist() == [7, 7]


def test_a_pixel_belongs_to_the_better_of_two_groups() -> None:
    masks = torch.stack([disc(16, 0, 0, 10, logit=1.0), disc(16, 6, 6, 10, logit=5.0)])
    labels = cluster_then_average(masks, (16, 16), CONFIG)
    assert labels[8, 8] == labels[15, 15] != labels[0, 0]


def test_the_map_has_the_size_asked_for() -> None:
    labels = cluster_then_average(disc(8, 2, 2, 4)[None], (32, 32), CONFIG)
    assert labels.shape == (32, 32)
    assert (labels > 0).sum().item() == pytest.approx(256, abs=64)


def test_small_masks_and_objects_are_dropped_in_pixels_of_the_image() -> None:
    masks = torch.stack([disc(16, 2, 2, 3), disc(16, 8, 8, 6)])  # 9 and 36 cells: 36 and 144 pixels
    config = CONFIG.model_copy(update={"min_area": 40})
    labels = cluster_then_average(masks, (32, 32), config)
    assert labels.unique().tolist() == [0, 1]
    assert labels[24, 24] == 1 and labels[6, 6] == 0


def test_a_group_inside_a_larger_one_is_suppressed_on_request() -> None:
    masks = torch.stack([disc(16, 0, 0, 14, logit=2.0), disc(16, 4, 4, 4, logit=5.0)])
    assert cluster_then_average(masks, (16, 16), CONFIG).max() == 2
    config = CONFIG.model_copy(update={"containment_threshold": 0.72})
    assert cluster_then_average(masks, (16, 16), config).max() == 1


def test_nothing_above_threshold_is_background() -> None:
    assert cluster_then_average(torch.full((4, 8, 8), -9.0), (16, 16), CONFIG).max() == 0
