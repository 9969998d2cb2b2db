"""Resizing of maps, from the definition: a map is known at the centres of its cells."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def linear_weights(cells: int, wanted: int) -> Tensor:
    """What each of `wanted` cells takes from each of `cells`: linear between centres, constant beyond the outermost."""
    weights = torch.zeros(wanted, cells, dtype=torch.float64)
    for i in range(wanted):
        place = min(max((i + 0.5) * cells / wanted - 0.5, 0.0), cells - 1.0)
        below = min(math.floor(place), cells - 1)
        above = min(below + 1, cells - 1)
        weights[i, below] += 1 - (place - below)
        weights[i, above] += place - below
    return weights


def bilinear(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(..., h, w) -> (..., *size)."""
    down, across = (linear_weights(n, m).to(maps) for n, m in zip(maps.shape[-2:], size, strict=True))
    return down @ maps @ across.T


def area_average(maps: Tensor, factor: int) -> Tensor:
    """The mean of each `factor` × `factor` block of cells: (..., h, w) -> (..., h / factor, w / factor)."""
    height, width = maps.shape[-2] // factor, maps.shape[-1] // factor
    rows = []
    for y in range(height):
        blocks = [
            maps[..., y * factor : (y + 1) * factor, x * factor : (x + 1) * factor].mean((-2, -1)) for x in range(width)
        ]
        rows.append(torch.stack(blocks, dim=-1))
    return torch.stack(rows, dim=-2)


def sampled(maps: Tensor, points: Tensor) -> Tensor:
    """Values of maps (C, h, w) at points (P, 2) = (x, y), the map from 0 to 1 across; (C, P).

    Linear between the centres of cells; beyond the map everything is zero, as in PointRend and Deformable DETR.
    """
    height, width = maps.shape[-2:]
    x, y = points[:, 0] * width - 0.5, points[:, 1] * height - 0.5
    total = maps.new_zeros(len(maps), len(points))
    for row in (y.floor(), y.floor() + 1):
        for column in (x.floor(), x.floor() + 1):
            weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
            exists = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            values = maps[:, row.long().clamp(0, height - 1), column.long().clamp(0, width - 1)]
            total = total + torch.where(exists, weight, 0.0) * values
    return total


def cell_places(height: int, width: int) -> Tensor:
    """The centres (height · width, 2) of a map's cells, (x, y) in [0, 1], row by row."""
    places = [[(x + 0.5) / width, (y + 0.5) / height] for y in range(height) for x in range(width)]
    return torch.tensor(places, dtype=torch.float64)
