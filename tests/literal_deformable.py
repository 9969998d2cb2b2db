"""Multi-scale deformable attention, point by point, with the weights of the module that it checks."""

from __future__ import annotations

import torch
from literal_layers import heads_of, linear
from literal_maps import sampled
from torch import Tensor

from pctrans.deformable import DeformableAttention


def deformable_attention(
    module: DeformableAttention, queries: Tensor, reference: Tensor, memory: Tensor, shapes: list[tuple[int, int]]
) -> Tensor:
    """Zhu et al. 2020, eq. 3, point by point; offsets are in cells of their level. (B, Q, D) -> (B, Q, D)."""
    batch, q, _ = queries.shape
    heads, levels, points = module.heads, len(shapes), module.points
    values = heads_of(linear(module.value_proj, memory), heads)
    offsets = linear(module.sampling_offsets, queries).view(batch, q, heads, levels, points, 2)
    weights = torch.exp(linear(module.attention_weights, queries)).view(batch, q, heads, levels * points)
    weights = (weights / weights.sum(-1, keepdim=True)).view(batch, q, heads, levels, points)
    images = []
    for b in range(batch):
        merged = []
        for head, value in enumerate(values):
            total, start = torch.zeros_like(value[b, :1].T), 0
            for level, (h, w) in enumerate(shapes):
                grid = value[b, start : start + h * w].T.view(-1, h, w)
                start += h * w
                for point in range(points):
                    places = reference + offsets[b, :, head, level, point] / torch.tensor([w, h])
                    total = total + sampled(grid, places) * weights[b, :, head, level, point]
            merged.append(total.T)
        images.append(torch.cat(merged, dim=-1))
    return linear(module.output_proj, torch.stack(images))
