"""The blend-convolution feed-forward, which mixes neighbours after deformable attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pctrans.deformable import Shapes
from pctrans.layers import group_count


class ConvFeedForward(nn.Module):
    """A 3×3 convolution, GroupNorm, GELU and a 3×3 convolution on each map of a sequence; then residual and norm."""

    def __init__(self, dim: int, channels: int, dropout: float):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(dim, channels, 3, padding=1, bias=False),
            nn.GroupNorm(group_count(channels, most=8), channels),
            nn.GELU(),
            nn.Conv2d(channels, dim, 3, padding=1),
        )
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, shapes: Shapes) -> Tensor:
        """Mix maps of `shapes` (height, width), flattened one after the other: (B, S, D) -> (B, S, D)."""
        mixed = flatten_maps([self.convolutions(level) for level in unflatten_maps(x, shapes)])
        return self.norm(x + self.dropout(mixed))


def flatten_maps(maps: list[Tensor]) -> Tensor:
    """Flatten maps (B, D, h, w) row by row and one after the other: (B, S, D)."""
    return torch.cat([level.flatten(2) for level in maps], dim=-1).transpose(1, 2)


def unflatten_maps(x: Tensor, shapes: Shapes) -> list[Tensor]:
    """Undo `flatten_maps`."""
    parts = x.transpose(1, 2).split([h * w for h, w in shapes], dim=-1)
    return [part.unflatten(-1, shape) for part, shape in zip(parts, shapes, strict=True)]
