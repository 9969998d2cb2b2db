"""The targets of StarDist: how far inside its object a pixel lies, and how far the outline is in each direction."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from pctrans.targets import Targets


def ray_directions(rays: int, device: torch.device | None = None) -> Tensor:
    """Return unit vectors (2, rays), (row, column), at equal angles from the direction of the columns on."""
    angles = torch.arange(rays, device=device) * (2 * math.pi / rays)
    return torch.stack((angles.sin(), angles.cos()))


def object_probability(targets: Targets) -> Tensor:
    """Compute the distance to the nearest pixel of another label, over the largest in the object: (B, H, W) in [0, 1].

    The background has 0. What lies beyond the border of the image is no other label: an object that a crop cuts has no
    edge there. One that fills its image has 1 everywhere.
    """
    labels = targets.labels
    squares = _squared_distance(labels)
    places = targets.valid.shape[1] + 1
    bins = (labels + torch.arange(len(labels), device=labels.device)[:, None, None] * places).flatten()
    largest = squares.new_zeros(len(labels) * places).scatter_reduce(0, bins, squares.flatten(), "amax")
    return torch.where(labels > 0, (squares / largest[bins].view_as(squares).clamp(min=1)).sqrt(), 0)


def _squared_distance(labels: Tensor) -> Tensor:
    """Compute the square of the distance of each pixel (B, H, W) to the nearest pixel of its image with another label.

    Along a column the distance is that to the end of a run; the columns around a pixel are then looked at as far as the
    deepest object asks for (Felzenszwalb and Huttenlocher 2012, with a plain minimum: objects are small).
    """
    rows, columns = labels.shape[-2:]
    along_columns = _distance_in_run(labels)
    bound = torch.minimum(along_columns, _distance_in_run(labels.transpose(1, 2)).transpose(1, 2))
    reach = int(torch.where(labels > 0, bound, 0).max().clamp(max=max(rows, columns)))
    squares = along_columns.square()
    nearest = squares.clone()
    for step in range(1, min(reach, columns - 1) + 1):
        near, far = slice(None, -step), slice(step, None)
        same = labels[..., near] == labels[..., far]
        for here, there in ((near, far), (far, near)):
            across = torch.where(same, squares[..., there], 0) + step**2
            nearest[..., here] = torch.minimum(nearest[..., here], across)
    return nearest


def _distance_in_run(labels: Tensor) -> Tensor:
    """Compute the distance of each pixel (B, H, W) to the nearest of another label in its column.

    It is further than any in the image where the column has no other label.
    """
    rows, columns = labels.shape[-2:]
    none = 2 * (rows + columns)
    index = torch.arange(rows, device=labels.device)[:, None]
    changes = labels[:, 1:] != labels[:, :-1]
    before = F.pad(torch.where(changes, index[:-1], -none), (0, 0, 1, 0), value=-none).cummax(1).values
    after = F.pad(torch.where(changes, index[1:], none + rows), (0, 0, 0, 1), value=none + rows)
    after = after.flip(1).cummin(1).values.flip(1)
    return torch.minimum(index - before, after - index).clamp(max=none).float()


def radial_distances(labels: Tensor, rays: int, stride: int) -> Tensor:
    """Measure how far the outline is from the pixels at the centres of cells, in pixels: (B, rays, h, w) float.

    A ray goes in steps of one pixel until the nearest pixel has another label or is outside the image; the outline is
    half a pixel, along the axis that the ray follows most, ahead of the first pixel centre of its last step. The
    background has 0.

    Args:
        labels: (B, H, W) integers, 0 background.
        stride: pixels per cell of h × w.
    """
    directions = ray_directions(rays, labels.device)
    half = 0.5 / directions.abs().amax(0)
    cells = labels[:, stride // 2 :: stride, stride // 2 :: stride]
    image, row, column = (cells > 0).nonzero(as_tuple=True)
    places = torch.stack((image, row * stride + stride // 2, column * stride + stride // 2))
    distances = torch.zeros(*cells.shape, rays, device=labels.device)
    distances[image, row, column] = _steps_inside(labels, places, directions) + half
    return distances.permute(0, 3, 1, 2)


def _steps_inside(labels: Tensor, places: Tensor, directions: Tensor) -> Tensor:
    """Count the steps (P, rays) that rays take before they meet another label or leave the image.

    A ray that is at distance d of the nearest such pixel jumps over all steps that cannot reach it. A step ends at the
    nearest pixel, so that each end is off by up to half a diagonal.

    Args:
        labels: (B, H, W).
        places: (3, P), image, row and column where the rays start.
        directions: (2, rays).
    """
    framed = F.pad(labels, (1, 1, 1, 1), value=-1)
    safe = (_squared_distance(framed).sqrt() - math.sqrt(2)).floor().clamp(min=0).flatten()
    height, width = framed.shape[1:]
    image, row, column = places
    rays = directions.shape[1]
    place = ((image * height + row + 1) * width + column + 1).repeat_interleave(rays)
    down, right = directions.repeat(1, len(row))
    framed, here = framed.flatten(), place
    steps = torch.zeros_like(down)
    going, reached = torch.arange(len(place), device=labels.device), steps
    while len(going):
        reached = reached + safe[here]
        ahead = reached + 1
        here = (down * ahead).round_().long().mul_(width).add_((right * ahead).round_().long()).add_(place)
        inside = framed[here] == framed[place]
        steps[going] = reached
        still = inside.nonzero()[:, 0]
        going, place, down, right = going[still], place[still], down[still], right[still]
        here, reached = here[still], ahead[still]
    return steps.view(-1, rays)
