"""The targets of OSFormer: the instance that each cell of the grids has to find, and the edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.boxes import instance_boxes
from baselines.osformer.config import OSFormerConfig
from pctrans.deformable import Shapes
from pctrans.targets import Targets

REFERENCE_SIZE = 1024
EROSION = 5


def cell_instances(targets: Targets, config: OSFormerConfig) -> Tensor:
    """Assign an instance to each cell, (B, Q): 0 for none, ids 1..K; grid by grid, row by row.

    The rule is SOLO's. A grid learns the instances of its scale range. Their cells are those that overlap the centre
    region, the box of the instance shrunk to `centre_share` and moved to the centre of mass, but none further away than
    the neighbours of the cell that holds the centre. That cell is always one of them, however small the instance.

    Sizes beyond the outermost limits of the ranges count as the limits, so that no instance is left out. Of several
    instances in one cell, the one with the smallest box wins: larger ones have more cells to be found by.
    """
    height, width = targets.labels.shape[-2:]
    boxes = instance_boxes(targets)
    sides = boxes[..., 2:] - boxes[..., :2]
    areas = sides.prod(-1)
    relative = sides / sides.new_tensor([width, height])
    ranges = _scale_ranges(config, max(height, width))
    sizes = areas.sqrt().clamp(ranges[0][0], max(high for _, high in ranges))
    grids = []
    for grid, (low, high) in zip(config.grids, ranges, strict=True):
        learned = targets.valid & (sizes >= low) & (sizes <= high)
        cells, inside = _centre_cells(targets.centres, relative * config.centre_share, grid)
        grids.append(_smallest(cells, inside & learned[..., None], areas, grid * grid))
    return torch.cat(grids, dim=1)


def _scale_ranges(config: OSFormerConfig, longer_side: int) -> list[tuple[float, float]]:
    """Scale the ranges to pixels of the image."""
    scale = longer_side / REFERENCE_SIZE
    return [(low * scale, high * scale) for low, high in config.scale_ranges]


def _centre_cells(centres: Tensor, region: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """Find the 3×3 cells around each centre of mass.

    Args:
        centres: (B, K, 2), (x, y) in [0, 1].
        region: (B, K, 2), width and height of the centre region, in sides of the image.
        grid: cells along a side.

    Returns:
        Indices of the cells (B, K, 9), and whether each is on the grid and overlaps the region.
    """
    steps = torch.arange(-1, 2, device=centres.device)
    cells = _cell(centres, grid)[..., None] + steps  # (B, K, 2, 3): columns, rows
    first, last = _cell(centres - region / 2, grid), _cell(centres + region / 2, grid)
    inside = (cells >= first[..., None]) & (cells <= last[..., None])
    columns, rows = cells.clamp(0, grid - 1).unbind(2)
    inside_columns, inside_rows = inside.unbind(2)
    indices = rows[..., :, None] * grid + columns[..., None, :]
    return indices.flatten(2), (inside_rows[..., :, None] & inside_columns[..., None, :]).flatten(2)


def _cell(points: Tensor, grid: int) -> Tensor:
    """Find the column or row of coordinates in [0, 1], the outermost for those outside."""
    return (points * grid).floor().long().clamp(0, grid - 1)


def _smallest(cells: Tensor, claimed: Tensor, areas: Tensor, num_cells: int) -> Tensor:
    """Find the id (B, num_cells) of the smallest instance that claims each cell, 0 for none.

    Args:
        cells: (B, K, 9).
        claimed: (B, K, 9).
        areas: (B, K).
    """
    order = areas.argsort(dim=1, stable=True)
    batch, count = order.shape
    rank = order.argsort(dim=1)[..., None].expand_as(cells).masked_fill(~claimed, count)
    best = rank.new_full((batch, num_cells), count)
    best = best.scatter_reduce(1, cells.flatten(1), rank.flatten(1), "amin")
    ids = F.pad(order + 1, (0, 1))  # the rank of nobody has id 0
    return ids.gather(1, best)


def instance_edges(labels: Tensor) -> Tensor:
    """Find the pixels (B, H, W) that a 5×5 erosion takes from their instance.

    These are the pixels of an instance with another label in their 5×5 neighbourhood. What lies beyond the border
    of the image erodes nothing: an instance that a crop cuts has no edge there.

    Args:
        labels: (B, H, W), ids 0..K below 2^24.
    """
    values = labels[:, None].float()
    highest = F.max_pool2d(values, EROSION, stride=1, padding=EROSION // 2)
    lowest = -F.max_pool2d(-values, EROSION, stride=1, padding=EROSION // 2)
    return ((labels > 0)[:, None] & (highest != lowest))[:, 0]


def downsampled_edges(edges: Tensor, shapes: Shapes) -> list[Tensor]:
    """Mark the cells of each shape (h, w) that hold an edge, (B, h, w) float; H and W are multiples of h and w."""
    values = edges[:, None].float()
    return [F.max_pool2d(values, values.shape[-1] // width)[:, 0] for _, width in shapes]
