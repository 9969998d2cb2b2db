"""Coarse-to-fine fusion and reverse edge attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.osformer.config import OSFormerConfig
from pctrans.layers import conv_norm


class ReverseEdgeAttention(nn.Module):
    """Attention that finds edges where a feature map sees no object.

    A 7×7 convolution of the mean and maximum of a lateral map's channels says where objects are; the rest,
    1 - sigmoid, weights the merged map, and a 3×3 convolution finds edges in it.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.objects = nn.Conv2d(2, 1, 7, padding=3)
        self.edges = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, merged: Tensor, lateral: Tensor) -> Tensor:
        """Compute edge logits (B, h, w) from two maps (B, C, h, w)."""
        summary = torch.stack((lateral.mean(dim=1), lateral.amax(dim=1)), dim=1)
        background = (-self.objects(summary)).sigmoid()
        return self.edges(merged * background)[:, 0]


class CoarseToFineFusion(nn.Module):
    """Fusion of strides 32 to 4 into one map; three of the merged maps also predict edges, for training.

    A 3×3 convolution follows each merge, as in the release; the paper's 46.6 million parameters have them.
    """

    def __init__(self, config: OSFormerConfig):
        super().__init__()
        channels = config.fusion_channels
        self.laterals = nn.ModuleList(conv_norm(config.hidden_dim, channels, 3) for _ in range(4))
        self.merges = nn.ModuleList(conv_norm(channels, channels, 3) for _ in range(3))
        self.edge_attention = nn.ModuleList(ReverseEdgeAttention(channels) for _ in range(3))
        self.output = conv_norm(channels, config.mask_channels, 1, relu=True)
        for part in (self.laterals, self.merges, self.output):
            for module in part.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.normal_(module.weight, std=0.01)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Fuse the maps from coarse to fine.

        Args:
            maps: (B, D, H / s, W / s) for s = 32, 16, 8, 4.

        Returns:
            Mask features (B, mask channels, H / 4, W / 4) and edge logits (B, H / s, W / s) for s = 16, 8, 4.
        """
        fused, *finer = [lateral(m) for lateral, m in zip(self.laterals, maps, strict=True)]
        edges = []
        for lateral, attention, merge in zip(finer, self.edge_attention, self.merges, strict=True):
            merged = F.relu(lateral + F.interpolate(fused, scale_factor=2, mode="bilinear", align_corners=False))
            edges.append(attention(merged, lateral))
            fused = merge(merged)
        return self.output(F.relu(fused)), edges
