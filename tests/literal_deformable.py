"""Multi-scale deformable attention, query by query, with the weights of the module that it checks."""

from __future__ import annotations

import torch
from literal_layers import heads_of, linear
from literal_maps import sampled
from torch import Tensor

from pctrans.deformable import DeformableAttention


def deformable_attention(
    module: DeformableAttention, queries: Tensor, reference: Tensor, memory: Tensor, shapes: list[tuple[int, int]]
) -> Tensor:
    """Zhu et al. 2020, eq. 3, query by query; offsets are in cells of their level. (B, Q, D) -> (B, Q, D)."""
    levels, points = len(shapes), module.points
    values = heads_of(linear(module.value_proj, memory), module.heads)
    out = []
    for b in range(len(queries)):
        for q in range(queries.shape[1]):
            offsets = linear(module.sampling_offsets, queries[b, q]).view(module.heads, levels, points, 2)
            weights = linear(module.attention_weights, queries[b, q]).view(module.heads, levels * points)
            weights = torch.exp(weights) / torch.exp(weights).sum(-1, keepdim=True)
            merged = []
            for head, value in enumerate(values):
                total, start = 0.0, 0
                for level, (h, w) in enumerate(shapes):
                    grid = value[b, start : start + h * w].T.view(-1, h, w)
                    start += h * w
                    places = reference[q] + offsets[head, level] / torch.tensor([w, h])
                    shares = weights[head, level * points : (level + 1) * points]
                    total = total + (sampled(grid, places) * shares).sum(-1)
                merged.append(total)
            out.append(torch.cat(merged))
    return linear(module.output_proj, torch.stack(out).view_as(queries))
