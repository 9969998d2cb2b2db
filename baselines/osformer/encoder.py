"""Projection and encoder of the location-sensing transformer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.osformer.config import OSFormerConfig
from baselines.osformer.feedforward import ConvFeedForward, flatten_maps, unflatten_maps
from pctrans.deformable import DeformableAttention, Shapes
from pctrans.layers import conv_norm, xavier
from pctrans.position import cell_centres, sinusoidal

LEVELS = 3


@dataclass(frozen=True)
class Memory:
    """The encoder's output for the maps at strides 8, 16 and 32.

    Attributes:
        tokens: (B, S, D), the maps flattened one after the other, fine to coarse.
        position: (S, D), their position encoding, that of the level left out.
        shapes: (height, width) of each map.
    """

    tokens: Tensor
    position: Tensor
    shapes: Shapes

    @property
    def maps(self) -> list[Tensor]:
        """The maps (B, D, H / s, W / s) for s = 8, 16, 32."""
        return unflatten_maps(self.tokens, self.shapes)


class PositionEncoding(nn.Module):
    """Sinusoidal encoding of the cells of a map; see `OSFormerConfig.released_position_encoding`."""

    def __init__(self, config: OSFormerConfig):
        super().__init__()
        self.dim, self.temperature = config.hidden_dim, config.position_temperature
        self.released = config.released_position_encoding

    def forward(self, centres: Tensor) -> Tensor:
        """Encode centres (S, 2) in [0, 1] as (S, D)."""
        points = torch.zeros_like(centres) if self.released else centres
        return sinusoidal(points, self.dim, self.temperature)


class DeformableLayer(nn.Module):
    """Deformable attention and a convolutional feed-forward; an encoder attends to its own maps, a decoder to memory.

    The position is part of the residual too, so that the mask features, which are made from the memory, can tell equal
    objects at different places apart.
    """

    def __init__(self, config: OSFormerConfig, points: int):
        super().__init__()
        dim = config.hidden_dim
        self.attention = DeformableAttention(dim, LEVELS, config.num_heads, points)
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(dim)
        self.feedforward = ConvFeedForward(dim, config.feedforward_channels, config.dropout)
        xavier(self.feedforward)

    def forward(
        self, positioned: Tensor, reference_points: Tensor, values: Tensor, value_shapes: Shapes, shapes: Shapes
    ) -> Tensor:
        """Update the cells of maps of `shapes`, (B, Q, D) with position added; `values` is (B, S, D) likewise."""
        attended = self.attention(positioned, reference_points, values, value_shapes)
        return self.feedforward(self.norm(positioned + self.dropout(attended)), shapes)


def repeat_for_cells(levels: Tensor, shapes: Shapes) -> Tensor:
    """Repeat what each level has, (levels, D), for all cells of its map of `shapes` (height, width): (S, D)."""
    return torch.cat([level.expand(h * w, -1) for level, (h, w) in zip(levels, shapes, strict=True)])


class Encoder(nn.Module):
    """Project the backbone's maps to one width; let strides 8, 16 and 32 attend to each other."""

    def __init__(self, channels: list[int], config: OSFormerConfig):
        super().__init__()
        dim = config.hidden_dim
        self.projections = nn.ModuleList(conv_norm(c, dim, 3, relu=True) for c in channels)
        self.position = PositionEncoding(config)
        self.level_embedding = nn.Parameter(torch.randn(LEVELS, dim))
        self.layers = nn.ModuleList(
            DeformableLayer(config, config.encoder_points) for _ in range(config.encoder_layers)
        )

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Memory]:
        """Encode backbone maps at strides 4, 8, 16, 32.

        Returns:
            The projected map at stride 4, (B, D, H / 4, W / 4), and the memory.
        """
        detail, *maps = [project(f) for project, f in zip(self.projections, features, strict=True)]
        shapes = [(m.shape[-2], m.shape[-1]) for m in maps]
        centres = [cell_centres(h, w, detail.device) for h, w in shapes]
        position = torch.cat([self.position(c) for c in centres])
        of_level = repeat_for_cells(self.level_embedding, shapes)
        reference_points = torch.cat(centres)
        tokens = flatten_maps(maps)
        for layer in self.layers:
            positioned = tokens + position + of_level
            tokens = layer(positioned, reference_points, positioned, shapes, shapes)
        return detail, Memory(tokens, position, shapes)
