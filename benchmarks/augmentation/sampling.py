"""Read an image at any place, reflected at its borders."""

from __future__ import annotations

import torch
from torch import Tensor


def reflect(places: Tensor, length: int) -> Tensor:
    """Fold float places along an axis into [0, length - 1].

    Pixels 0 and length - 1 are the mirrors and are not repeated, as in the pad mode "reflect" of NumPy and torch, but
    for any distance and for an axis of one pixel too.
    """
    period = max(2 * (length - 1), 1)
    folded = places.remainder(period)
    return torch.minimum(folded, period - folded).clamp(0, length - 1)


def reflection_index(pixels: Tensor, length: int) -> Tensor:
    """Tell which copy of the axis whole-numbered places lie in: 0 is the original, ±1 its neighbours, and so on.

    A mirror pixel belongs to the copy nearer to the original, so that the original keeps all of its pixels.
    """
    copies = pixels / max(length - 1, 1)
    return torch.where(pixels > 0, copies.ceil() - 1, copies.floor()).long()


def sample_bilinear(image: Tensor, grid: Tensor) -> Tensor:
    """Sample an image (C, H, W) at grid (2, h, w), places (y, x) in pixels -> (C, h, w).

    `torch.nn.functional.grid_sample` takes places as fractions of the image, and rounding blurs even a plain crop; this
    function returns the pixels themselves wherever places are whole.
    """
    channels, height, width = image.shape
    y, x = reflect(grid[0], height), reflect(grid[1], width)
    top, left = y.floor(), x.floor()
    down, right = y - top, x - left
    row, column = top.long(), left.long()
    next_row, next_column = (row + 1).clamp(max=height - 1), (column + 1).clamp(max=width - 1)

    pixels = image.reshape(channels, -1)

    def at(rows: Tensor, columns: Tensor) -> Tensor:
        index = rows * width + columns
        return pixels.index_select(1, index.flatten()).view(channels, *index.shape)

    upper = torch.lerp(at(row, column), at(row, next_column), right)
    lower = torch.lerp(at(next_row, column), at(next_row, next_column), right)
    return torch.lerp(upper, lower, down)


def nearest_pixels(grid: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Find the pixel of an image of `size` (H, W) nearest to each place of grid (2, h, w).

    Returns:
        (h, w) int64, indices into the flattened image, and (2, h, w) int64, the reflections (down, across)
        that the places lie in.
    """
    height, width = size
    rows, columns = grid.round()
    index = reflect(rows, height).long() * width + reflect(columns, width).long()
    return index, torch.stack([reflection_index(rows, height), reflection_index(columns, width)])
