"""From backbone features to multi-scale pixel embeddings (section 3.1 and 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pctrans.config import PCTransConfig
from pctrans.deformable import DeformableEncoderLayer
from pctrans.layers import conv_norm, run_layer
from pctrans.position import cell_centres, sinusoidal


@dataclass(frozen=True)
class PixelFeatures:
    """What the decoder and the losses read.

    Attributes:
        levels: three flattened maps (B, h·w, D), coarse to fine: strides 32, 16, 8.
        positions: their position encodings (h·w, D).
        shapes: their (h, w).
        pixel_embedding: (B, D, H / 8, W / 8).
        mask_map: (B, D, H / s, W / s), s = `mask_stride`: what F_mask is made from; the pixel embedding for 8.
    """

    levels: list[Tensor]
    positions: list[Tensor]
    shapes: list[tuple[int, int]]
    pixel_embedding: Tensor
    mask_map: Tensor


class PixelDecoder(nn.Module):
    """Project strides 8, 16, 32, refine them by L layers of deformable attention, add the 1/4 detail."""

    def __init__(self, channels: list[int], config: PCTransConfig):
        super().__init__()
        dim = config.hidden_dim
        self.dim, self.temperature, self.mask_stride = dim, config.pixel_position_temperature, config.mask_stride
        self.recompute = config.activation_checkpointing
        self.input_projections = nn.ModuleList(conv_norm(c, dim, 1) for c in reversed(channels[1:]))
        self.level_embedding = nn.Parameter(torch.randn(3, dim)) if config.encoder_layers else None
        self.layers = nn.ModuleList(
            DeformableEncoderLayer(dim, 3, config.num_heads, config.encoder_points, config.encoder_feedforward)
            for _ in range(config.encoder_layers)
        )
        self.lateral = conv_norm(channels[0], dim, 1)
        self.output = conv_norm(dim, dim, 3, relu=True)

    def forward(self, features: list[Tensor]) -> PixelFeatures:
        """`features`: backbone maps at strides 4, 8, 16, 32."""
        maps = [p(f) for p, f in zip(self.input_projections, reversed(features[1:]), strict=True)]
        shapes = [(m.shape[-2], m.shape[-1]) for m in maps]
        centres = [cell_centres(h, w, maps[0].device) for h, w in shapes]
        positions = [sinusoidal(c, self.dim, self.temperature) for c in centres]
        levels = self._refine([m.flatten(2).transpose(1, 2) for m in maps], positions, centres, shapes)
        finest = levels[-1].transpose(1, 2).unflatten(-1, shapes[-1])
        detail = self.lateral(features[0])
        # Area averaging brings the 1/4 detail down without aliasing.
        embedding = self.output(finest + F.interpolate(detail, size=shapes[-1], mode="area"))
        mask_map = embedding
        if self.mask_stride == 4:
            mask_map = detail + F.interpolate(embedding, size=detail.shape[-2:], mode="bilinear", align_corners=False)
        return PixelFeatures(levels, positions, shapes, embedding, mask_map)

    def _refine(
        self,
        levels: list[Tensor],
        positions: list[Tensor],
        centres: list[Tensor],
        shapes: list[tuple[int, int]],
    ) -> list[Tensor]:
        if self.level_embedding is None:
            return levels
        memory = torch.cat(levels, dim=1)
        position = torch.cat([p + e for p, e in zip(positions, self.level_embedding, strict=True)])
        reference_points = torch.cat(centres)
        for layer in self.layers:
            memory = run_layer(layer, memory, position, reference_points, shapes, recompute=self.recompute)
        return list(memory.split([h * w for h, w in shapes], dim=1))
