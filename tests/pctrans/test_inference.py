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


def test_a_mask_at_the_threshold_of_grouping_is_not_above_it() -> None:
    config = CONFIG.model_copy(update={"mask_threshold": 0.3})
    assert cluster_then_average(disc(16, 2, 2, 6, logit=0.0)[None], (16, 16), config).max() == 0
    assert cluster_then_average(disc(16, 2, 2, 6, logit=0.1)[None], (16, 16), config).max() == 1


def test_a_pixel_at_the_threshold_of_a_vote_has_none() -> None:
    mask = disc(16, 2, 2, 12, logit=0.0)
    mask[2:6, 2:6] = 6.0
    config = InferenceConfig(averaging="binary", binarise_threshold=0.5, min_area=0)
    labels = cluster_then_average(mask[None], (16, 16), config)
    assert torch.equal(labels > 0, mask > 0)


def test_a_mask_of_just_the_least_area_is_dropped_though_its_object_were_larger() -> None:
    mask = torch.full((16, 16), -1.0)
    mask[4:6, 4:9] = 1.0  # 10 cells, 40 pixels
    config = CONFIG.model_copy(update={"min_area": 40, "mask_threshold": 0.2})
    assert cluster_then_average(mask[None], (32, 32), config).max() == 0
    assert cluster_then_average(mask[None], (32, 32), config.model_copy(update={"min_area": 39})).max() == 1


@pytest.mark.parametrize(("side", "shared", "kept"), [(4, 12, 1), (4, 8, 2), (1, 1, 1)])
def test_at_least_the_share_of_containment_suppresses(side: int, shared: int, kept: int) -> None:
    """The larger mask has the upper half; the smaller one has `shared` of its cells there. The share is 0.75."""
    masks = torch.stack([disc(16, 0, 0, 8, logit=2.0), disc(16, 8 - shared // side, 2, side, logit=5.0)])
    config = CONFIG.model_copy(update={"containment_threshold": 0.75})
    assert cluster_then_average(masks, (16, 16), config).max() == kept


@pytest.mark.parametrize(("threshold", "objects"), [(0.4, 1), (0.5, 2)])
def test_a_group_is_contained_in_what_is_above_the_threshold_in_another(threshold: float, objects: int) -> None:
    """Two votes for the upper half and one for the lower: at a threshold of one half the lower is not the group's."""
    masks = torch.full((3, 16, 16), -6.0)
    masks[0, :8], masks[1], masks[2, 10:14, 10:14] = 6.0, 6.0, 6.0
    config = CONFIG.model_copy(
        update={"averaging": "binary", "mask_threshold": threshold, "containment_threshold": 0.72}
    )
    assert cluster_then_average(masks, (16, 16), config).max() == objects


@pytest.mark.parametrize("averaging", ["soft", "binary"])
def test_a_group_that_agrees_nowhere_takes_nothing_from_others(averaging: str) -> None:
    """Of three votes, at most two are for the same place: too few for a threshold of 0.7."""
    masks = torch.full((4, 16, 16), -9.0)
    masks[0, :8, :8], masks[1, :3, :8], masks[2, 5:8, :8], masks[3, 10:, 10:] = 9.0, 8.0, 8.0, 2.0
    config = CONFIG.model_copy(update={"averaging": averaging, "mask_threshold": 0.7})
    labels = cluster_then_average(masks, (16, 16), config)
    assert labels[12:, 12:].unique().tolist() == [1] and not labels[:8, :8].any()


def test_nothing_above_threshold_is_background() -> None:
    assert cluster_then_average(torch.full((4, 8, 8), -9.0), (16, 16), CONFIG).max() == 0
