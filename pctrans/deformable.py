"""Multi-scale deformable self-attention (Zhu et al., Deformable DETR, 2020) in plain PyTorch."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pctrans.layers import FeedForward, xavier

Shapes = list[tuple[int, int]]


class DeformableLayers(Protocol):
    """The linear layers of an attention of this kind, by the names that they have everywhere."""

    sampling_offsets: nn.Linear
    attention_weights: nn.Linear
    value_proj: nn.Linear
    output_proj: nn.Linear


def initialise_deformable(attention: DeformableLayers, heads: int, levels: int, points: int) -> None:
    """Start with each head looking in its own direction, point p at distance p, all weights equal."""
    angles = torch.arange(heads) * (2 * math.pi / heads)
    directions = torch.stack((angles.cos(), angles.sin()), dim=1)
    directions = directions / directions.abs().amax(dim=1, keepdim=True)
    distances = torch.arange(1, points + 1)
    offsets = directions[:, None, None] * distances[None, None, :, None]
    nn.init.zeros_(attention.sampling_offsets.weight)
    with torch.no_grad():
        attention.sampling_offsets.bias.copy_(offsets.expand(-1, levels, -1, -1).flatten())
    nn.init.zeros_(attention.attention_weights.weight)
    nn.init.zeros_(attention.attention_weights.bias)
    for projection in (attention.value_proj, attention.output_proj):
        xavier(projection)


class DeformableAttention(nn.Module):
    """Every query samples a few points of every level around its reference point and mixes them."""

    def __init__(self, dim: int, levels: int, heads: int, points: int):
        super().__init__()
        self.levels, self.heads, self.points = levels, heads, points
        self.sampling_offsets = nn.Linear(dim, heads * levels * points * 2)
        self.attention_weights = nn.Linear(dim, heads * levels * points)
        self.value_proj = nn.Linear(dim, dim)
        self.output_proj = nn.Linear(dim, dim)
        initialise_deformable(self, heads, levels, points)

    def forward(self, queries: Tensor, reference_points: Tensor, memory: Tensor, shapes: Shapes) -> Tensor:
        """Attend.

        Args:
            queries: (B, Q, D), position embedding already added.
            reference_points: (Q, 2) or (B, Q, 2), (x, y) in [0, 1].
            memory: (B, S, D), the levels flattened one after the other.
            shapes: (height, width) of each level; the products sum to S.

        Returns:
            (B, Q, D).
        """
        batch, num_queries, _ = queries.shape
        heads, levels, points = self.heads, self.levels, self.points
        value = self.value_proj(memory).unflatten(-1, (heads, -1))  # (B, S, heads, d)
        offsets = self.sampling_offsets(queries).view(batch, num_queries, heads, levels, points, 2)
        weights = self.attention_weights(queries).view(batch, num_queries, heads, levels * points)
        # Queries last but for (x, y): rows that long are softened, multiplied and summed several times faster.
        offsets = offsets.permute(2, 0, 3, 4, 1, 5)  # (heads, B, levels, points, Q, 2)
        weights = weights.permute(2, 0, 3, 1).softmax(2).unflatten(2, (levels, points))
        # Offsets are in cells of their level; a map is from -1 to 1 across.
        cells = reference_points.new_tensor([[2 / w, 2 / h] for h, w in shapes])[:, None, None]
        reference = 2 * reference_points.expand(batch, -1, -1)[:, None, None] - 1
        # Float32 whatever the precision around: in bfloat16, places near the border of a map are eighths of a cell.
        grid = torch.addcmul(reference, offsets.float(), cells)
        mixed = _mix(value, grid, weights, shapes).unflatten(0, (heads, batch))  # (heads, B, d, Q)
        return self.output_proj(mixed.permute(1, 3, 0, 2).flatten(2))


def _mix(value: Tensor, grid: Tensor, weights: Tensor, shapes: Shapes) -> Tensor:
    """Sum the values (B, S, heads, d) at the places of grid (heads, B, levels, points, Q, 2), weighted.

    Returns:
        (heads · B, d, Q).
    """
    grid, weights = grid.flatten(0, 1), weights.flatten(0, 1)[:, None]
    parts = value.split([h * w for h, w in shapes], dim=1)
    mixed = []
    for level, (part, (h, w)) in enumerate(zip(parts, shapes, strict=True)):
        maps = part.permute(2, 0, 3, 1).reshape(len(grid), -1, h, w).float()
        sampled = F.grid_sample(maps, grid[:, level], align_corners=False)  # (heads · B, d, points, Q)
        mixed.append((sampled * weights[:, :, level]).sum(2))
    return torch.stack(mixed).sum(0).to(value.dtype)


class DeformableEncoderLayer(nn.Module):
    """Deformable self-attention and feed-forward, each with residual and norm."""

    def __init__(self, dim: int, levels: int, heads: int, points: int, feedforward: int):
        super().__init__()
        self.attention = DeformableAttention(dim, levels, heads, points)
        self.norm = nn.LayerNorm(dim)
        self.feedforward = FeedForward(dim, feedforward)
        xavier(self.feedforward)

    def forward(self, memory: Tensor, position: Tensor, reference_points: Tensor, shapes: Shapes) -> Tensor:
        """(B, S, D) -> (B, S, D); `position` (S, D) joins the queries only."""
        attended = self.attention(memory + position, reference_points, memory, shapes)
        return self.feedforward(self.norm(memory + attended))
