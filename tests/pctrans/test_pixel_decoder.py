"""The wiring of the pixel decoder and of the semantic head against their transcriptions."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from literal_pixel_decoder import literal_pixel_decoder, literal_semantic_head
from torch import Tensor, nn

from pctrans import PCTrans, PCTransConfig
from pctrans.pixel_decoder import PixelDecoder

CHANNELS, GROUPS = [5, 6, 7, 8], 8  # 16 channels in groups of two
SMALL = PCTransConfig(hidden_dim=16, num_heads=2, encoder_layers=2, encoder_feedforward=12, encoder_points=2)
VARIANTS = {"as published": {}, "no self-attention layers": {"encoder_layers": 0}, "masks at 1/4": {"mask_stride": 4}}


def randomised(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def backbone_maps() -> list[Tensor]:
    """Two images of 64 × 96 pixels."""
    return [torch.randn(2, c, 64 // s, 96 // s) for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_output(name: str) -> None:
    torch.manual_seed(0)
    config = SMALL.model_copy(update=VARIANTS[name])
    decoder, features = randomised(PixelDecoder(CHANNELS, config)), backbone_maps()
    actual = decoder(features)
    expected = literal_pixel_decoder(deepcopy(decoder).double(), [f.double() for f in features], config, GROUPS)
    assert actual.shapes == expected.shapes == [(2, 3), (4, 6), (8, 12)]
    pairs = list(zip(actual.levels, expected.levels, strict=True))
    pairs += list(zip(actual.positions, expected.positions, strict=True))
    pairs += [(actual.pixel_embedding, expected.pixel_embedding), (actual.mask_map, expected.mask_map)]
    for found, wanted in pairs:
        torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)
    assert (actual.pixel_embedding == 0).any() and (actual.pixel_embedding >= 0).all()


def test_group_norms_have_32_groups_at_the_paper_s_width() -> None:
    """As in DETR and its descendants."""
    with torch.device("meta"):
        model = PCTrans(PCTransConfig())
    norms = [m for part in (model.pixel_decoder, model.semantic_head) for m in part.modules()]
    assert {m.num_groups for m in norms if isinstance(m, nn.GroupNorm)} == {32}


def test_the_semantic_head_is_two_blocks_and_a_projection(tiny: PCTransConfig) -> None:
    torch.manual_seed(0)
    model = PCTrans(tiny)
    head = randomised(model.semantic_head)
    images = torch.rand(2, 3, 64, 96)
    output = model(images)
    expected = literal_semantic_head(deepcopy(head).double(), output.pixel_embedding.double(), groups=16)
    torch.testing.assert_close(output.semantic_logits.double(), expected, rtol=1e-4, atol=1e-4)


def test_foreground_starts_at_a_prior_of_one_in_a_hundred(tiny: PCTransConfig) -> None:
    """The bias of Lin et al. 2017: with it, the background is no flood of losses at the start."""
    torch.manual_seed(0)
    model = PCTrans(tiny)
    assert torch.sigmoid(model.semantic_head[-1].bias).item() == pytest.approx(0.01, rel=1e-4)
    probability = model(torch.rand(1, 3, 64, 64)).semantic_logits.sigmoid()
    assert 0.002 < probability.mean() < 0.05
