"""OSFormer's parts against literal transcriptions of their definitions."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional as F

from baselines.osformer import OSFormer, OSFormerConfig
from baselines.osformer.encoder import PositionEncoding
from baselines.osformer.feedforward import ConvFeedForward, flatten_maps, unflatten_maps
from baselines.osformer.fusion import ReverseEdgeAttention
from baselines.osformer.head import DynamicInstanceNormalisation
from pctrans.position import cell_centres

TINY = OSFormerConfig.model_validate(
    {
        "backbone": {"name": "resnet18", "width": 8},
        "hidden_dim": 32,
        "num_heads": 4,
        "encoder_layers": 1,
        "feedforward_channels": 32,
        "decoder_layers": 1,
        "grids": (5, 4, 3),
        "fusion_channels": 16,
        "mask_channels": 24,
    }
)


def test_the_paper_s_model_has_the_paper_s_size() -> None:
    """46.6 million parameters."""
    with torch.device("meta"):
        model = OSFormer(OSFormerConfig())
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(46.6e6, rel=0.002)


def test_reverse_edge_attention() -> None:
    attention = ReverseEdgeAttention(3)
    merged, lateral = torch.randn(2, 1, 3, 9, 7)
    found = attention(merged, lateral)
    padded = F.pad(lateral, (3, 3, 3, 3))
    weighted = torch.zeros(3, 11, 9)
    for y in range(9):
        for x in range(7):
            logit = attention.objects.bias.item()
            for dy in range(7):
                for dx in range(7):
                    pixel = padded[0, :, y + dy, x + dx]
                    mean_weight, max_weight = attention.objects.weight[0, :, dy, dx].tolist()
                    logit += mean_weight * pixel.mean().item() + max_weight * pixel.max().item()
            weighted[:, y + 1, x + 1] = merged[0, :, y, x] * (1 - torch.sigmoid(torch.tensor(logit)))
    for y in range(9):
        for x in range(7):
            window = weighted[:, y : y + 3, x : x + 3]
            expected = (attention.edges.weight[0] * window).sum() + attention.edges.bias[0]
            assert found[0, y, x].item() == pytest.approx(expected.item(), abs=1e-5)


def test_the_feed_forward_works_on_each_map_alone() -> None:
    feedforward = ConvFeedForward(16, 32, 0.1).eval()
    maps = [torch.randn(2, 16, 6, 4), torch.randn(2, 16, 3, 2)]
    found = unflatten_maps(feedforward(flatten_maps(maps), [(6, 4), (3, 2)]), [(6, 4), (3, 2)])
    first, norm, _, second = feedforward.convolutions
    assert isinstance(norm, nn.GroupNorm) and norm.num_groups == 8
    for before, after in zip(maps, found, strict=True):
        mixed = second(F.gelu(norm(first(before))))
        expected = feedforward.norm((before + mixed).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(after, expected)


def test_a_kernel_gives_weights_and_a_bias() -> None:
    head = DynamicInstanceNormalisation(5)
    kernels, features = torch.randn(3, 5), torch.randn(5, 4, 6)
    logits = head(kernels, features)
    for p in range(3):
        weight, bias = head.weight(kernels[p]), head.bias(kernels[p])
        for y in range(4):
            for x in range(6):
                expected = sum((weight[c] * features[c, y, x]).item() for c in range(5)) + bias.item()
                assert logits[p, y, x].item() == pytest.approx(expected, abs=1e-5)


def test_the_released_encoding_is_the_same_everywhere() -> None:
    centres = cell_centres(6, 6, torch.device("cpu"))
    released = PositionEncoding(TINY.model_copy(update={"released_position_encoding": True}))(centres)
    assert released.unique(dim=0).shape == (1, 32)
    assert PositionEncoding(TINY)(centres).unique(dim=0).shape == (36, 32)


@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_the_shapes_of_the_output(size: tuple[int, int]) -> None:
    height, width = size
    output = OSFormer(TINY)(torch.rand(2, 3, *size))
    assert output.objectness.shape == (2, 50) and output.kernels.shape == (2, 50, 24)
    assert output.mask_features.shape == (2, 24, height // 4, width // 4)
    assert [tuple(e.shape) for e in output.edge_logits] == [(2, height // s, width // s) for s in (16, 8, 4)]
    assert output.objectness.sigmoid().mean().item() < 0.1  # the prior


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_heads": 3},
        {"scale_ranges": ((1, 96), (192, 384), (192, 2048))},
        {"scale_ranges": ((192, 1), (1, 384), (192, 2048))},
        {"scale_ranges": ((1, 192), (96, 384))},
        {"grids": (36, 24)},
        {"grids": (36, 24, 0)},
    ],
)
def test_impossible_configurations_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OSFormerConfig.model_validate(wrong)


def test_the_capacity_is_that_of_the_inference() -> None:
    assert OSFormer(TINY).max_instances == 300
