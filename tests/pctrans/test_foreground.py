"""Objects that the semantic branch does not support, against a transcription in loops."""

from __future__ import annotations

import pytest
import torch
from literal_maps import bilinear
from pydantic import ValidationError
from torch import Tensor

from pctrans import PCTrans, PCTransConfig
from pctrans.config import InferenceConfig, LossWeights
from pctrans.foreground import drop_unsupported


def literally(labels: Tensor, logits: Tensor, threshold: float) -> Tensor:
    size = (8 * logits.shape[0], 8 * logits.shape[1])
    foreground = 1 / (1 + torch.exp(-bilinear(logits.double()[None], size)[0]))
    found, next_id = torch.zeros_like(labels), 1
    for id in range(1, int(labels.max()) + 1):
        pixels = [(y, x) for y, x in (labels == id).nonzero().tolist()]
        if pixels and sum(foreground[y, x].item() for y, x in pixels) / len(pixels) >= threshold:
            for pixel in pixels:
                found[pixel] = next_id
            next_id += 1
    return found


@pytest.mark.parametrize("seed", range(5))
def test_objects_below_the_threshold_go_and_the_rest_is_numbered(seed: int) -> None:
    """Sizes are no multiples of the stride: the map is what the cells cover, cut."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 9, (4, 6), generator=generator).repeat_interleave(5, 0).repeat_interleave(5, 1)
    logits = torch.randn(3, 4, generator=generator)
    threshold = logits.sigmoid().mean().item()
    expected = literally(labels, logits, threshold)
    assert 0 < expected.max() < len(labels.unique()) - 1, "some go and some stay"
    assert torch.equal(drop_unsupported(labels, logits, threshold), expected)


def test_an_empty_map_stays_empty() -> None:
    assert drop_unsupported(torch.zeros(16, 16, dtype=torch.long), torch.ones(2, 2), 0.5).max() == 0


def test_a_model_drops_what_its_semantic_branch_does_not_support(tiny: PCTransConfig) -> None:
    model = PCTrans(tiny)
    masks = torch.full((1, 3, 12, 12), -9.0)
    masks[0, 0, :4, :4] = masks[0, 1, 8:, 8:] = masks[0, 2, :4, 8:] = 9.0
    semantic = torch.full((1, 6, 6), -9.0)
    semantic[0, 3:, 3:] = 9.0
    evidence, kept = (masks, semantic), InferenceConfig(min_area=4)
    assert model.decide(evidence, (45, 44), kept).max() == 3
    found = model.decide(evidence, (45, 44), kept.model_copy(update={"semantic_threshold": 0.5}))
    assert found.shape == (1, 45, 44) and found.max() == 1
    assert (found[0, 34:, 34:] == 1).all() and found[0, :, :30].max() == 0


def test_the_threshold_needs_the_branch() -> None:
    inference = InferenceConfig(semantic_threshold=0.3)
    assert PCTransConfig(inference=inference).inference.semantic_threshold == 0.3
    with pytest.raises(ValidationError, match="semantic_threshold needs the semantic branch"):
        PCTransConfig(inference=inference, loss_weights=LossWeights(semantic=0.0))


def test_a_threshold_that_is_not_set_is_not_written() -> None:
    """So that keys and files of jobs from before there was one stay what they were."""
    assert "semantic_threshold" not in InferenceConfig().model_dump(mode="json")
    written = InferenceConfig(semantic_threshold=0.3).model_dump(mode="json")
    assert InferenceConfig.model_validate(written).semantic_threshold == 0.3
