"""Convolution and group norm from their formulas, with the weights of PyTorch's own modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def convolved(layer: nn.Conv2d, maps: Tensor) -> Tensor:
    """A convolution with k × k weights and zeros around the map, as k² shifted 1×1 convolutions; keeps the size."""
    size, (height, width) = layer.weight.shape[-1], maps.shape[-2:]
    padded = maps.new_zeros(*maps.shape[:2], height + size - 1, width + size - 1)
    padded[..., size // 2 : size // 2 + height, size // 2 : size // 2 + width] = maps
    total = maps.new_zeros(len(maps), len(layer.weight), height, width)
    for dy in range(size):
        for dx in range(size):
            part = padded[..., dy : dy + height, dx : dx + width]
            total = total + torch.einsum("oc,bchw->bohw", layer.weight[:, :, dy, dx], part)
    return total if layer.bias is None else total + layer.bias[:, None, None]


def group_norm(norm: nn.GroupNorm, maps: Tensor, groups: int) -> Tensor:
    """Mean 0 and variance 1 in each of `groups` neighbouring channels of each image, then scale and shift."""
    parts = []
    for part in maps.chunk(groups, dim=1):
        centred = part - part.mean((1, 2, 3), keepdim=True)
        parts.append(centred / torch.sqrt((centred**2).mean((1, 2, 3), keepdim=True) + 1e-5))
    return torch.cat(parts, dim=1) * norm.weight[:, None, None] + norm.bias[:, None, None]
