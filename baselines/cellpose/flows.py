"""The flows of Cellpose: from every pixel of an object to its centre, along heat that spreads from there."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.boxes import instance_boxes
from pctrans.targets import Targets

GROUP = 32
"""Objects whose heat spreads together, in windows of the size of the largest."""


def centre_flows(targets: Targets) -> Tensor:
    """Compute the direction of the flow at each pixel, (B, 2, H, W) float: unit vectors (row, column), 0 in background.

    Heat of 1 enters an object at its centre in each step and spreads to the mean of the 3×3 pixels around; what lies
    outside the object is cold. There are twice as many steps as the object's height and width, both with a pixel of
    margin at each side. The flow goes up the heat.
    """
    labels = targets.labels
    flows = torch.zeros(len(labels), 2, *labels.shape[1:], device=labels.device)
    image, instance = targets.valid.nonzero(as_tuple=True)
    if not len(image):
        return flows
    boxes = instance_boxes(targets)[image, instance].long()
    sides = (boxes[:, 2:] - boxes[:, :2]).sum(1)
    order = sides.argsort(descending=True, stable=True)
    image, instance, boxes, sides = image[order], instance[order], boxes[order], sides[order]
    for group in zip(*(tensor.split(GROUP) for tensor in (image, instance, boxes, sides)), strict=True):
        _fill(flows, labels, *group)
    return flows


def _fill(flows: Tensor, labels: Tensor, image: Tensor, instance: Tensor, boxes: Tensor, sides: Tensor) -> None:
    """Write the flows of K objects into `flows` (B, 2, H, W).

    Args:
        labels: (B, H, W).
        image: (K,).
        instance: (K,), id - 1.
        boxes: (K, 4), left, top, right, bottom.
        sides: (K,), height and width of the boxes together, largest first.
    """
    height, width = labels.shape[1:]
    rows, columns = _windows(boxes)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    places = (image[:, None, None], rows.clamp(0, height - 1), columns.clamp(0, width - 1))
    masks = inside & (labels[places] == instance[:, None, None] + 1)
    heat = _spread(masks, _centre_pixels(masks), (2 * (sides + 4)).tolist())
    found = masks.nonzero(as_tuple=True)
    flows[image[found[0]], :, rows.expand_as(masks)[found], columns.expand_as(masks)[found]] = _uphill(heat)[found]


def _windows(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows (K, h, 1) and columns (K, 1, w) of windows around boxes (K, 4), with a pixel at each side.

    All are as large as the largest box asks for.
    """
    width, height = ((boxes[:, 2:] - boxes[:, :2]).amax(0) + 2).tolist()
    rows = boxes[:, 1, None] - 1 + torch.arange(height, device=boxes.device)
    columns = boxes[:, 0, None] - 1 + torch.arange(width, device=boxes.device)
    return rows[:, :, None], columns[:, None]


def _centre_pixels(masks: Tensor) -> Tensor:
    """Find the pixel of each mask (K, h, w) nearest to its centre of mass, of equals the first: (K,) of the h·w."""
    row = torch.arange(masks.shape[1], device=masks.device, dtype=torch.float64)[:, None]
    column = torch.arange(masks.shape[2], device=masks.device, dtype=torch.float64)
    area = masks.sum((1, 2))
    centre_row, centre_column = (masks * row).sum((1, 2)) / area, (masks * column).sum((1, 2)) / area
    squares = (row - centre_row[:, None, None]) ** 2 + (column - centre_column[:, None, None]) ** 2
    return squares.masked_fill(~masks, torch.inf).flatten(1).argmin(1)


def _spread(masks: Tensor, centres: Tensor, steps: list[int]) -> Tensor:
    """Spread heat in masks (K, h, w) from centres (K,), each for its number of steps, most first: (K, h, w) float64.

    Far from the centre of a long object there is less heat than float32 can hold.
    """
    number, height, width = masks.shape
    size, edge = height * width, width + 1
    # In one row after the other: the cold margin of each mask keeps the neighbours in memory apart.
    share = masks.flatten().double() / 9
    heat = share.new_zeros(number * size + 2 * edge)
    sources = torch.arange(number, device=masks.device) * size + centres + edge
    in_row, around = torch.empty_like(heat[2:]), torch.empty_like(share)
    for step in range(steps[0]):
        running = sum(count > step for count in steps)
        end = running * size
        heat[sources[:running]] += 1
        threes = torch.add(heat[: end + 2 * width], heat[2 : end + 2 * edge], out=in_row[: end + 2 * width])
        threes += heat[1 : end + 2 * width + 1]
        nines = torch.add(threes[:end], threes[2 * width :], out=around[:end])
        nines += threes[width : end + width]
        torch.mul(nines, share[:end], out=heat[edge : end + edge])
    return heat[edge:-edge].view_as(masks)


def _uphill(heat: Tensor) -> Tensor:
    """Compute the direction in which heat (K, h, w) with a cold margin rises: unit vectors (K, h, w, 2), float."""
    padded = F.pad(heat, (1, 1, 1, 1))
    rise = torch.stack((padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1], padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]), dim=-1)
    return (rise / rise.norm(dim=-1, keepdim=True).clamp(min=1e-300)).float()
