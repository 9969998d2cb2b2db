"""What the queries see, of each method that can be looked into."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from runnable import can_be_built
from test_every_method import build, pictures, squares
from tiny import RECIPES

from baselines.mask2former.inference import paint_instances
from baselines.osformer.inference import instance_map
from benchmarks.contract import Inspectable
from pctrans.inference import cluster_then_average

WITH_QUERIES = ["pctrans", "osformer", "mask2former"]
WITH_WEIGHTS = ["pctrans", "mask2former"]

# Thresholds with which untrained models find something.
LENIENT = {
    "pctrans": {"binarise_threshold": 0.01, "mask_threshold": 0.01, "min_area": 0},
    "mask2former": {"score_threshold": 0, "mask_threshold": 0.01, "min_area": 0},
    "osformer": {"score_threshold": 0, "keep_threshold": 0, "visible_share": 0, "mask_threshold": 0.01, "min_area": 0},
}


def scene(height: int = 64, width: int = 64) -> torch.Tensor:
    return pictures(torch.stack([squares(128, [(2, 2), (30, 30)], 16)[:height, :width]] * 2))


def test_who_can_be_looked_into() -> None:
    here = [name for name in RECIPES if can_be_built(name)]
    assert [name for name in here if isinstance(build(name), Inspectable)] == WITH_QUERIES


@pytest.mark.parametrize("name", WITH_QUERIES)
@pytest.mark.parametrize("size", [(64, 64), (50, 70)])
def test_maps_cover_the_image_and_nothing_else(name: str, size: tuple[int, int]) -> None:
    found = build(name).eval().inspect(scene(*size))
    height, width = size
    assert found.mask_logits.shape[-2:] == (-(-height // 4), -(-width // 4))
    s = found.embedding_stride
    assert found.pixel_embedding.shape[-2:] == (-(-height // s), -(-width // s))
    if found.attention is not None:
        t = found.attention_stride
        assert found.attention.shape == (*found.mask_logits.shape[:2], -(-height // t), -(-width // t))


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_weights_of_a_query_sum_to_one_over_the_image(name: str) -> None:
    weights = build(name).eval().inspect(scene()).attention
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum((-2, -1)), torch.ones(weights.shape[:2]))


@pytest.mark.parametrize("layers, stride", [(1, 32), (2, 16), (3, 8), (4, 32)])
@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_the_last_layer_reads_the_level_of_its_turn(name: str, layers: int, stride: int) -> None:
    found = build(name, decoder_layers=layers).eval().inspect(scene(64, 96))
    assert found.attention_stride == stride
    assert found.attention.shape[-2:] == (64 // stride, 96 // stride)
    torch.testing.assert_close(found.attention.sum((-2, -1)), torch.ones(found.attention.shape[:2]))


def test_the_masks_are_those_that_segment_paints() -> None:
    images = scene()
    for name in WITH_QUERIES:
        model: Any = build(name, inference=LENIENT[name]).eval()
        found = model.inspect(images)
        with torch.no_grad():
            labels = model.segment(images)
            if name == "pctrans":
                painted = [cluster_then_average(m, (64, 64), model.config.inference) for m in found.mask_logits]
            elif name == "mask2former":
                classes = model(images)[-1]["class_queries_logits"]
                painted = [
                    paint_instances(c, m, (64, 64), (64, 64), model.config.inference)[0]
                    for c, m in zip(classes, found.mask_logits, strict=True)
                ]
            else:
                output = model(images)
                painted = [
                    instance_map(o, torch.arange(len(k))[:, None], m, _Given(m), model.config)[0]
                    for o, k, m in zip(output.objectness, output.kernels, found.mask_logits, strict=True)
                ]
        assert labels.any() and torch.equal(torch.stack(painted), labels), name


class _Given:
    """In place of a mask head: the masks that are there, by query."""

    def __init__(self, masks: torch.Tensor):
        self.masks = masks

    def __call__(self, chosen: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return self.masks[chosen[:, 0]]


def test_mask2former_s_weights_against_the_softmax_written_out() -> None:
    """Of the last layer, from the tensors that it was called with."""
    model = build("mask2former").eval()
    layer = model.network.model.transformer_module.decoder.layers[-1].cross_attn
    calls: list[dict[str, torch.Tensor]] = []
    handle = layer.register_forward_pre_hook(lambda _, __, named: calls.append(named), with_kwargs=True)
    found = model.inspect(scene())
    handle.remove()
    (call,) = calls
    heads, d = layer.num_heads, layer.head_dim
    wq, wk, _ = layer.in_proj_weight.chunk(3)
    bq, bk, _ = layer.in_proj_bias.chunk(3)
    q, k = call["query"] @ wq.T + bq, call["key"] @ wk.T + bk  # (N, B, D), (S, B, D)
    mask = call["attn_mask"].view(2, heads, len(q), len(k))
    expected = torch.zeros(2, len(q), len(k))
    for head in range(heads):
        part = slice(head * d, (head + 1) * d)
        logits = torch.einsum("nbd,sbd->bns", q[..., part], k[..., part]) / d**0.5
        expected += logits.masked_fill(mask[:, head], -torch.inf).softmax(-1) / heads
    torch.testing.assert_close(found.attention.flatten(2), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", WITH_QUERIES)
def test_looking_changes_nothing(name: str) -> None:
    model = build(name).eval()
    images = scene()
    before = model.segment(images)
    model.inspect(images)
    assert torch.equal(model.segment(images), before)
    assert not any(module._forward_hooks for module in model.modules())
