"""Cluster-then-average against its transcription on scenes of overlapping discs, as many queries make them."""

from __future__ import annotations

import pytest
import torch
from literal_inference import literal_instances, literal_scores
from torch import Tensor

from pctrans.config import InferenceConfig
from pctrans.inference import cluster_then_average, cluster_with_confidence

SETTINGS = {
    "soft": InferenceConfig(min_area=8),
    "soft, contained": InferenceConfig(min_area=0, group_threshold=0.6, containment_threshold=0.6),
    "released for BBBC039": InferenceConfig(averaging="binary"),
    "released for CVPPP": InferenceConfig(
        averaging="binary",
        binarise_threshold=0.69,
        group_threshold=0.5,
        mask_threshold=0.6,
        containment_threshold=0.72,
    ),
}


def discs(seed: int, queries: int = 14, size: tuple[int, int] = (12, 9)) -> Tensor:
    """Mask logits (queries, *size): discs around four places, of many sizes and confidences."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(*map(torch.arange, size), indexing="ij")
    places = torch.tensor(size) * torch.rand(4, 2, generator=generator)
    masks = []
    for q in range(queries):
        centre = places[q % 4] + 1.5 * torch.randn(2, generator=generator)
        radius = 0.5 + 4 * torch.rand(1, generator=generator)
        slope = 0.5 + 2 * torch.rand(1, generator=generator)
        masks.append(slope * (radius - ((y - centre[0]) ** 2 + (x - centre[1]) ** 2).sqrt()))
    return torch.stack(masks)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("seed", range(6))
def test_instance_maps(name: str, seed: int) -> None:
    logits, size = discs(seed), (24, 36)
    expected = literal_instances(logits, size, SETTINGS[name])
    assert expected.max() > 0
    assert torch.equal(cluster_then_average(logits, size, SETTINGS[name]), expected)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_mean_soft_values(name: str, seed: int) -> None:
    logits, size = discs(seed), (24, 36)
    labels, confidence = cluster_with_confidence(logits, size, SETTINGS[name])
    expected = literal_scores(logits, size, SETTINGS[name])
    found = [confidence[labels == id].mean().item() for id in range(1, int(labels.max()) + 1)]
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("averaging", ["soft", "binary"])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_who_gathers_first(averaging: str, order: tuple[int, int, int]) -> None:
    """Of a chain of three, the middle overlaps both ends: first, it makes one group, else an end makes two.

    The middle is the most confident, so it is first where masks are soft; the released form asks for the order only.
    """
    chain = torch.full((3, 16, 16), -6.0)
    chain[0, :, :8], chain[1, :, 4:12], chain[2, :, 8:] = 3.0, 5.0, 3.0
    config = InferenceConfig(averaging=averaging, group_threshold=0.4, mask_threshold=0.2)
    labels = cluster_then_average(chain[list(order)], (16, 16), config)
    assert labels.max() == (1 if averaging == "soft" or order[0] == 1 else 2)


def test_released_thresholds_follow_the_averaging_unless_given() -> None:
    """BBBC039V1: binarise at 0.05, drop up to 40 pixels, group above 0.15, no threshold after averaging."""
    released = InferenceConfig(averaging="binary")
    assert (released.binarise_threshold, released.group_threshold, released.mask_threshold) == (0.05, 0.15, 0.0)
    assert released.min_area == 40 and released.containment_threshold is None
    assert InferenceConfig(averaging="binary", group_threshold=0.5).group_threshold == 0.5


def test_one_vote_makes_foreground_in_the_released_form() -> None:
    """Of two binary masks of a group, a pixel that only one claims is the object's."""
    masks = torch.full((2, 16, 16), -6.0)
    masks[0, 2:10, 2:10] = masks[1, 2:10, 4:12] = 6.0
    labels = cluster_then_average(masks, (16, 16), InferenceConfig(averaging="binary"))
    assert torch.equal(labels > 0, (masks > 0).any(0)) and labels.max() == 1
