"""Layers of a transformer from their formulas, with the weights of PyTorch's own modules."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pctrans.layers import MLP


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """x W^T + b."""
    return x @ layer.weight.T + layer.bias


def relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.zeros_like(x))


def mlp(module: MLP, x: Tensor) -> Tensor:
    """Linear layers, ReLU between them."""
    first, *others = module.layers
    x = linear(first, x)
    for layer in others:
        x = linear(layer, relu(x))
    return x


def layer_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the last dimension, then scale and shift."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) * norm.weight + norm.bias


def softmax(logits: Tensor, allowed: Tensor) -> Tensor:
    """Over the last dimension, where `allowed`."""
    raised = torch.exp(logits - logits.amax(-1, keepdim=True).detach()) * allowed
    return raised / raised.sum(-1, keepdim=True)


def heads_of(x: Tensor, heads: int) -> list[Tensor]:
    """(B, L, D) in `heads` parts (B, L, D / heads)."""
    return list(x.chunk(heads, dim=-1))


def self_attention(module: nn.MultiheadAttention, queries: Tensor, position: Tensor) -> Tensor:
    """Vaswani et al. 2017; the position joins queries and keys, not the values. (B, N, D) -> (B, N, D)."""
    w_q, w_k, w_v = module.in_proj_weight.chunk(3)
    b_q, b_k, b_v = module.in_proj_bias.chunk(3)
    q = (queries + position) @ w_q.T + b_q
    k = (queries + position) @ w_k.T + b_k
    v = queries @ w_v.T + b_v
    everywhere = torch.ones(queries.shape[1], dtype=torch.bool)
    merged = []
    for query, key, value in zip(*(heads_of(x, module.num_heads) for x in (q, k, v)), strict=True):
        logits = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
        merged.append(softmax(logits, everywhere) @ value)
    return linear(module.out_proj, torch.cat(merged, dim=-1))


def encoding(points: Tensor, dim: int, temperature: float) -> Tensor:
    """DETR's sinusoidal encoding of points (..., 2) = (x, y) in [0, 1]: y first, sine and cosine in turn."""
    parts = []
    for axis in (1, 0):
        for i in range(dim // 4):
            angle = 2 * math.pi * points[..., axis] / temperature ** (i / (dim // 4))
            parts += [torch.sin(angle), torch.cos(angle)]
    return torch.stack(parts, dim=-1)
