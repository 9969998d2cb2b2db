"""Cluster, then average (section 3.4), mask by mask and cell by cell."""

from __future__ import annotations

import torch
from literal_maps import bilinear
from torch import Tensor

from pctrans.config import InferenceConfig

Cells = frozenset[tuple[int, int]]


def cells_above(mask: Tensor, threshold: float) -> Cells:
    """Where a map (h, w) is above `threshold`."""
    height, width = mask.shape
    return frozenset((y, x) for y in range(height) for x in range(width) if mask[y, x] > threshold)


def literal_instances(mask_logits: Tensor, size: tuple[int, int], config: InferenceConfig) -> Tensor:
    """The instance map (H, W) of mask logits (N, h, w).

    Masks are compared at their cells. "soft": enlarged soft masks are averaged, groups gather from the most confident
    query on. "binary", the released form: enlarged masks are binarised and those are averaged; groups gather in the
    order of the queries.
    """
    return _found(mask_logits, size, config)[0]


def literal_scores(mask_logits: Tensor, size: tuple[int, int], config: InferenceConfig) -> list[float]:
    """The score of each object 1..K: the mean over its pixels of the mean soft value of its group's enlarged masks."""
    labels, owner, groups, enlarged = _found(mask_logits, size, config)
    scores = []
    for id in range(1, int(labels.max()) + 1):
        pixels = [(y, x) for y in range(size[0]) for x in range(size[1]) if labels[y, x] == id]
        group = groups[int(owner[pixels[0]]) - 1]
        values = [sum(enlarged[q, y, x].item() for q in group) / len(group) for y, x in pixels]
        scores.append(sum(values) / len(values))
    return scores


def _found(
    mask_logits: Tensor, size: tuple[int, int], config: InferenceConfig
) -> tuple[Tensor, Tensor, list[list[int]], Tensor]:
    """The instance map, the number of each pixel's group, the groups and the enlarged soft masks."""
    soft = 1 / (1 + torch.exp(-mask_logits.double()))
    enlarged = 1 / (1 + torch.exp(-bilinear(mask_logits.double(), size)))
    cell_area = size[0] * size[1] / (soft.shape[1] * soft.shape[2])
    binary = [cells_above(mask, config.binarise_threshold) for mask in soft]
    queries = [q for q, cells in enumerate(binary) if len(cells) * cell_area > config.min_area]
    if config.averaging == "soft":
        queries.sort(key=lambda q: -sum(soft[q][cell].item() for cell in binary[q]) / max(len(binary[q]), 1))
    groups = groups_of(queries, binary, config.group_threshold)
    if config.containment_threshold is not None:
        kept = _not_contained([_average(group, soft, config) for group in groups], config)
        groups = [group for group, keep in zip(groups, kept, strict=True) if keep]
    labels, owner = _instance_map([_average(group, enlarged, config) for group in groups], size, config)
    return labels, owner, groups, enlarged


def _average(group: list[int], soft: Tensor, config: InferenceConfig) -> Tensor:
    votes = [soft[q] if config.averaging == "soft" else _painted(soft[q], config.binarise_threshold) for q in group]
    return sum(votes) / len(votes)


def groups_of(order: list[int], binary: list[Cells], threshold: float) -> list[list[int]]:
    """The first query that has no group gathers all those without one whose Dice with it is above `threshold`."""
    groups, left = [], list(order)
    while left:
        first = left[0]
        group = [q for q in left if q == first or _dice(binary[first], binary[q]) > threshold]
        left = [q for q in left if q not in group]
        groups.append(group)
    return groups


def _dice(a: Cells, b: Cells) -> float:
    return 2 * len(a & b) / max(len(a) + len(b), 1)


def _painted(soft: Tensor, threshold: float) -> Tensor:
    mask = torch.zeros_like(soft)
    for cell in cells_above(soft, threshold):
        mask[cell] = 1.0
    return mask


def _not_contained(averaged: list[Tensor], config: InferenceConfig) -> list[bool]:
    """Which masks do not lie, by a share of at least `containment_threshold`, inside one larger mask."""
    cells = [cells_above(mask, config.mask_threshold) for mask in averaged]

    def contained(own: Cells) -> bool:
        larger = [other for other in cells if len(other) > len(own)]
        return any(len(own & other) >= config.containment_threshold * max(len(own), 1) for other in larger)

    return [not contained(own) for own in cells]


def _instance_map(averaged: list[Tensor], size: tuple[int, int], config: InferenceConfig) -> tuple[Tensor, Tensor]:
    """Every pixel to the mask that is highest there, the earlier one of equals, if that is above the threshold.

    Small objects are then left out. Returns the map, and the number of each pixel's mask before that.
    """
    owner = torch.zeros(size, dtype=torch.long)
    for y in range(size[0]):
        for x in range(size[1]):
            best = config.mask_threshold
            for number, mask in enumerate(averaged, 1):
                if mask[y, x] > best:
                    best, owner[y, x] = mask[y, x].item(), number
    result, next_id = torch.zeros_like(owner), 1
    for number in range(1, len(averaged) + 1):
        if (owner == number).sum() > config.min_area:
            result[owner == number] = next_id
            next_id += 1
    return result, owner
