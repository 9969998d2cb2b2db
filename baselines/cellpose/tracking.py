"""From flows to objects: cells follow the flows, and those that end at the same place are one object."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.cellpose.flows import centre_flows
from pctrans.targets import build_targets

PEAK_WINDOW = 5
"""A place where cells end is a sink if no other within this window has more of them."""
PEAK_PIXELS = 10
"""Sinks at which no more than so many pixels end are none."""
BASIN_PIXELS = 2
"""The surroundings of a sink belong to it while more than so many pixels end there."""
BASIN_STEPS = 5
"""Cells by which a sink reaches out at most."""


def follow(flows: Tensor, steps: int) -> Tensor:
    """Follow flows (B, 2, h, w), (row, column) in cells a step, from every cell: where each ends, (B, 2, h, w).

    Flows are interpolated between cells; nothing leaves the map.
    """
    height, width = flows.shape[-2:]
    last = torch.tensor([height - 1, width - 1], device=flows.device).view(2, 1, 1)
    row, column = torch.arange(height, device=flows.device), torch.arange(width, device=flows.device)
    places = torch.stack(torch.meshgrid(row, column, indexing="ij")).to(flows.dtype).expand_as(flows).contiguous()
    scale = 2 / last.clamp(min=1)
    for _ in range(steps):
        grid = (places * scale - 1).flip(1).permute(0, 2, 3, 1)
        step = F.grid_sample(flows, grid, mode="bilinear", padding_mode="border", align_corners=True)
        places = torch.minimum((places + step).clamp(min=0), last)
    return places


def gather_basins(ends: Tensor, foreground: Tensor, stride: int) -> Tensor:
    """Give each cell the number of the sink that it ends at: (h, w), 1..K in the order of their size, 0 with none.

    Sinks are the peaks of a histogram of where foreground cells end; neighbouring places in which cells end, too, are
    theirs. Of sinks that reach each other, the larger one has all.

    Args:
        ends: (2, h, w) where each cell ends, row and column in cells.
        foreground: (h, w), whether a cell counts in the histogram.
        stride: pixels per cell; counts are in pixels.
    """
    height, width = foreground.shape
    rows, columns = ends.round().long()
    places = rows * width + columns
    counts = torch.bincount(places[foreground], minlength=height * width).view(height, width) * stride**2
    highest = F.max_pool2d(counts[None].float(), PEAK_WINDOW, stride=1, padding=PEAK_WINDOW // 2)[0]
    peaks = ((counts == highest) & (counts > PEAK_PIXELS)).nonzero()
    peaks = peaks[counts[peaks[:, 0], peaks[:, 1]].argsort(descending=True, stable=True)]
    basins = _basins(counts > BASIN_PIXELS, peaks)
    owner = torch.zeros(height + 2 * BASIN_STEPS, width + 2 * BASIN_STEPS, dtype=torch.long, device=ends.device)
    number = 0
    for (row, column), basin in zip(peaks.tolist(), basins, strict=True):
        window = owner[row : row + 2 * BASIN_STEPS + 1, column : column + 2 * BASIN_STEPS + 1]
        if window[BASIN_STEPS, BASIN_STEPS] == 0:
            number += 1
            window[basin & (window == 0)] = number
    return owner[BASIN_STEPS:-BASIN_STEPS, BASIN_STEPS:-BASIN_STEPS][rows, columns]


def _basins(busy: Tensor, peaks: Tensor) -> Tensor:
    """Find the places around each peak (K, 2) that busy ones (h, w) connect with it: (K, n, n), the peak in the middle.

    They are at most `BASIN_STEPS` steps away; n is what that needs.
    """
    side = 2 * BASIN_STEPS + 1
    if not len(peaks):
        return torch.zeros(0, side, side, dtype=torch.bool, device=busy.device)
    around = torch.arange(side, device=busy.device)
    framed = F.pad(busy, (BASIN_STEPS,) * 4)
    busy = framed[(peaks[:, 0, None] + around)[:, :, None], (peaks[:, 1, None] + around)[:, None]].float()
    reached = torch.zeros_like(busy)
    reached[:, BASIN_STEPS, BASIN_STEPS] = 1
    for _ in range(BASIN_STEPS):
        reached = F.max_pool2d(reached, 3, stride=1, padding=1) * busy
    return reached > 0


def flow_errors(labels: Tensor, flows: Tensor) -> Tensor:
    """Compute how far flows (2, h, w) are from those of the objects' shapes, (K,): mean squares of the difference.

    Args:
        labels: (h, w), ids 1..K, each of them present.
    """
    true = centre_flows(build_targets(labels[None]))[0]
    squares = (true - flows).square().sum(0)
    areas = torch.bincount(labels.flatten())[1:]
    sums = squares.new_zeros(len(areas) + 1).index_add_(0, labels.flatten(), squares.flatten())[1:]
    return sums / areas
