"""Multi-scale deformable self-attention (Zhu et al., Deformable DETR, 2020) in plain PyTorch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pctrans.layers import FeedForward

Shapes = list[tuple[int, int]]


class DeformableAttention(nn.Module):
    """Every query samples a few points of every level around its reference point and mixes them."""

    def __init__(self, dim: int, levels: int, heads: int, points: int):
        super().__init__()
        self.levels, self.heads, self.points = levels, heads, points
        self.sampling_offsets = nn.Linear(dim, heads * levels * points * 2)
        self.attention_weights = nn.Linear(dim, heads * levels * points)
        self.value_proj = nn.Linear(dim, dim)
        self.output_proj = nn.Linear(dim, dim)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Start with each head looking in its own direction, point p at distance p, all weights equal."""
        angles = torch.arange(self.heads) * (2 * math.pi / self.heads)
        directions = torch.stack((angles.cos(), angles.sin()), dim=-1)
        directions = directions / directions.abs().amax(dim=-1, keepdim=True)
        distances = torch.arange(1, self.points + 1)
        offsets = directions[:, None, None] * distances[None, None, :, None]
        nn.init.zeros_(self.sampling_offsets.weight)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(offsets.expand(-1, self.levels, -1, -1).flatten())
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        for projection in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

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
        offsets = self.sampling_offsets(queries).view(batch, num_queries, heads, -1)
        weights = self.attention_weights(queries).view(batch, num_queries, heads, levels * points).softmax(-1)
        # In cells of their level, from -1 to 1 across it; long rows, as broadcasting over pairs of (x, y) is slow.
        cells = reference_points.new_tensor([[2 / w, 2 / h] for h, w in shapes])
        cells = cells[:, None].expand(-1, points, -1).flatten()
        reference = (2 * reference_points - 1).repeat(*[1] * (reference_points.ndim - 1), levels * points)
        grid = torch.addcmul(reference[..., None, :], offsets.float(), cells)
        grid = grid.view(batch, num_queries, heads, levels, points, 2)
        sampled = _sample_levels(value, grid, shapes)  # (B·heads, d, Q, levels·points)
        weights = weights.transpose(1, 2).flatten(0, 1)[:, None]  # (B·heads, 1, Q, levels·points)
        mixed = (sampled * weights).sum(-1).unflatten(0, (batch, heads))  # (B, heads, d, Q)
        return self.output_proj(mixed.flatten(1, 2).transpose(1, 2))


def _sample_levels(value: Tensor, grid: Tensor, shapes: Shapes) -> Tensor:
    """Sample value (B, S, heads, d) at grid (B, Q, heads, levels, points, 2) in [-1, 1], level by level."""
    batch, _, heads, _ = value.shape
    # Float32 whatever the precision around: in bfloat16, places near the border of a map are eighths of a cell.
    grid = grid.transpose(1, 2).flatten(0, 1).float()  # (B·heads, Q, levels, points, 2)
    sampled = []
    for level, (part, (h, w)) in enumerate(zip(value.split([h * w for h, w in shapes], dim=1), shapes, strict=True)):
        maps = part.permute(0, 2, 3, 1).reshape(batch * heads, -1, h, w)
        sampled.append(F.grid_sample(maps.float(), grid[:, :, level], align_corners=False))
    return torch.cat(sampled, dim=-1).to(value.dtype)


class DeformableEncoderLayer(nn.Module):
    """Deformable self-attention and feed-forward, each with residual and norm."""

    def __init__(self, dim: int, levels: int, heads: int, points: int, feedforward: int):
        super().__init__()
        self.attention = DeformableAttention(dim, levels, heads, points)
        self.norm = nn.LayerNorm(dim)
        self.feedforward = FeedForward(dim, feedforward)

    def forward(self, memory: Tensor, position: Tensor, reference_points: Tensor, shapes: Shapes) -> Tensor:
        """(B, S, D) -> (B, S, D); `position` (S, D) joins the queries only."""
        attended = self.attention(memory + position, reference_points, memory, shapes)
        return self.feedforward(self.norm(memory + attended))
