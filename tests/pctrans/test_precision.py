"""What stays in float32 whatever the network runs in."""

from __future__ import annotations

import pytest
import torch
from literal_maps import sampled
from scenes import squares

from pctrans import PCTrans, PCTransConfig
from pctrans.config import InferenceConfig
from pctrans.criterion import weighted_losses
from pctrans.points import sample_logits
from pctrans.targets import build_targets


def test_bfloat16_changes_masks_little_far_from_the_origin(tiny: PCTransConfig) -> None:
    """Coordinates of hundreds of pixels, and the losses and the grouping built on masks, stay in float32."""
    torch.manual_seed(0)
    # First masks are much alike: centres in the cost keep rounding from changing who is matched with whom.
    model = PCTrans(tiny.model_copy(update={"matching_centre_weight": 5.0})).eval()
    images = torch.rand(1, 3, 512, 512)
    labels = squares(512, [(420, 440), (30, 470), (460, 20)], 40)[None]
    values, logits = [], []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            logits.append(model(images).predictions[0].mask_logits.float())
            torch.manual_seed(1)
            values.append({name: value.item() for name, value in model.losses(images, labels).items()})
    assert (logits[0] - logits[1]).abs().max() < 0.03 * logits[0].abs().max()
    for name, value in values[0].items():
        assert values[1][name] == pytest.approx(value, rel=0.05), name


def test_autocast_does_not_reach_the_losses(tiny: PCTransConfig, batch) -> None:
    """They are those of the same predictions without it, to the last bit: bfloat16 keeps three digits."""
    torch.manual_seed(0)
    model, (images, labels) = PCTrans(tiny).eval(), batch
    with torch.autocast("cpu", torch.bfloat16):
        output = model(images)
        torch.manual_seed(1)
        losses = model.losses(images, labels)
    torch.manual_seed(1)
    parts = (output.predictions, output.pixel_embedding, output.semantic_logits)
    assert losses == weighted_losses(*parts, build_targets(labels), tiny)


def test_autocast_changes_no_decision(tiny: PCTransConfig) -> None:
    """Two masks of 300 cells share 259, which bfloat16 takes for 260; a Dice of 0.865 lies between."""
    masks = torch.full((1, 2, 400), -6.0)
    masks[0, 0, :300], masks[0, 1, 41:341] = 6.0, 5.0
    evidence, config = (masks.view(1, 2, 20, 20),), InferenceConfig(group_threshold=0.865, min_area=0)
    model = PCTrans(tiny)
    with torch.autocast("cpu", torch.bfloat16):
        labels = model.decide(evidence, (80, 80), config)
    assert labels.max() == 2
    assert torch.equal(labels, model.decide(evidence, (80, 80), config))


def test_maps_are_sampled_in_their_own_precision() -> None:
    maps, points = torch.randn(1, 2, 4, 5, dtype=torch.float64), torch.rand(1, 7, 2)
    torch.testing.assert_close(sample_logits(maps, points)[0], sampled(maps[0], points[0].double()))
