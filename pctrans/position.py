"""Sinusoidal position encoding of points and of feature-map cells."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoidal(points: Tensor, dim: int, temperature: float) -> Tensor:
    """Encode points (..., 2) = (x, y) in [0, 1] as (..., dim): `dim / 2` values of y, then of x.

    Vaswani et al. 2017 in the two-dimensional form of DETR, coordinates scaled to [0, 2π]. Each half
    alternates sine and cosine over `dim / 4` wavelengths. Always float32: sines of scaled coordinates
    lose their phase in half precision.
    """
    quarter = dim // 4
    exponents = torch.arange(quarter, device=points.device) / quarter
    angles = points.float()[..., None] * (2 * math.pi) / temperature**exponents  # (..., 2, dim / 4)
    waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)  # (..., 2, dim / 2)
    return torch.cat((waves[..., 1, :], waves[..., 0, :]), dim=-1)


def cell_centres(height: int, width: int, device: torch.device) -> Tensor:
    """The centres (H·W, 2) of a map's cells, (x, y) in [0, 1], row by row."""
    y = (torch.arange(height, device=device) + 0.5) / height
    x = (torch.arange(width, device=device) + 0.5) / width
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack((grid_x, grid_y), dim=-1).flatten(0, 1)


def uniform_points(count: int) -> Tensor:
    """`count` points (count, 2) = (x, y), evenly spread over the unit square: the cells' centres of near-square rows.

    Of more than 15 points, none leaves a place of the square further than 0.8 / sqrt(count) from all.
    """
    rows = round(math.sqrt(count))
    in_row = [count // rows + (row < count % rows) for row in range(rows)]
    y = torch.cat([torch.full((n,), (row + 0.5) / rows) for row, n in enumerate(in_row)])
    x = torch.cat([(torch.arange(n) + 0.5) / n for n in in_row])
    return torch.stack((x, y), dim=1)
