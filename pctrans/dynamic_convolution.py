"""Three 1×1 convolutions with a filter of their own for every query, without keeping what lies between them.

The hidden maps of all queries are large: for ten predictions of 300 queries on 64×64 cells and eight images, 6 GB. They
are made anew in the backward pass, block by block, so that a block stays in a CPU's cache: a step that moves less
memory is also the faster one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

CACHED = 2**20
"""Values of a hidden map that a CPU handles well at once."""

Block = tuple[slice, slice]


def dynamic_convolution(
    features: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, w3: Tensor, b3: Tensor
) -> Tensor:
    """relu(relu(features · w1 + b1) · w2 + b2) · w3 + b3 for every query, all in float32.

    Args:
        features: (B, C, P), the same for all queries.
        w1: (B, N, c, C).
        b1: (B, N, c).
        w2: (B, N, c, c).
        b2: (B, N, c).
        w3: (B, N, 1, c).
        b3: (B, N, 1).

    Returns:
        (B, N, P).
    """
    return _Recomputed.apply(features, w1, b1, w2, b2, w3, b3)


def _hidden(features: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> tuple[Tensor, Tensor]:
    """The maps after the first and the second layer, (B · N, c, P)."""
    c = w1.shape[2]
    first = torch.baddbmm(b1.flatten(1)[..., None], w1.flatten(1, 2), features)
    first = F.relu_(first).view(-1, c, features.shape[-1])
    second = torch.baddbmm(b2.flatten(0, 1)[..., None], w2.flatten(0, 1), first)
    return first, F.relu_(second)


def _last(second: Tensor, w3: Tensor, b3: Tensor) -> Tensor:
    logits = torch.baddbmm(b3.flatten(0, 1)[..., None], w3.flatten(0, 1), second)
    return logits.view(*w3.shape[:2], -1)


class _Recomputed(torch.autograd.Function):
    """Keeps its arguments for the backward pass, and nothing else."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, w3: Tensor, b3: Tensor
    ) -> Tensor:
        ctx.save_for_backward(features, w1, b1, w2, b2, w3)
        logits = features.new_empty(*w1.shape[:2], features.shape[-1])
        for block in _blocks(features, w1):
            images, _ = block
            _, second = _hidden(features[images], w1[block], b1[block], w2[block], b2[block])
            logits[block] = _last(second, w3[block], b3[block])
        return logits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        (g_logits,) = gradients
        features, w1, b1, w2, b2, w3 = ctx.saved_tensors
        g_features = torch.zeros_like(features)
        g_w1, g_b1, g_w2, g_b2, g_w3 = (torch.empty_like(x) for x in (w1, b1, w2, b2, w3))
        for block in _blocks(features, w1):
            images, _ = block
            first, second = _hidden(features[images], w1[block], b1[block], w2[block], b2[block])
            g = g_logits[block].flatten(0, 1)[:, None]  # (B · N, 1, P)
            g_w3[block] = torch.bmm(g, second.transpose(1, 2)).view_as(w3[block])
            g = _through_relu(w3[block].flatten(0, 1).transpose(1, 2) * g, second)
            g_w2[block] = torch.bmm(g, first.transpose(1, 2)).view_as(w2[block])
            g_b2[block] = g.sum(-1).view_as(b2[block])
            g = _through_relu(torch.bmm(w2[block].flatten(0, 1).transpose(1, 2), g), first)
            g_b1[block] = g.sum(-1).view_as(b1[block])
            g = g.view(features[images].shape[0], -1, features.shape[-1])  # (B, N · c, P)
            g_w1[block] = torch.bmm(g, features[images].transpose(1, 2)).view_as(w1[block])
            g_features[images].baddbmm_(w1[block].flatten(1, 2).transpose(1, 2), g)
        return g_features, g_w1, g_b1, g_w2, g_b2, g_w3, g_logits.sum(-1, keepdim=True)


def _blocks(features: Tensor, w1: Tensor) -> Iterator[Block]:
    """Which images and queries are handled together: on a CPU what its cache holds, else all."""
    batch, num_queries, c, _ = w1.shape
    if features.device.type != "cpu":
        yield slice(None), slice(None)
        return
    queries = max(1, CACHED // (c * features.shape[-1]))
    for image in range(batch):
        for first in range(0, num_queries, queries):
            yield slice(image, image + 1), slice(first, first + queries)


def _through_relu(gradient: Tensor, output: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward(gradient, output, 0)
