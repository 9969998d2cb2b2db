"""Cluster, then average: many queries' masks become one instance map (section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pctrans.config import InferenceConfig
from pctrans.images import drop_small


@torch.no_grad()
def cluster_then_average(mask_logits: Tensor, size: tuple[int, int], config: InferenceConfig) -> Tensor:
    """Turn the mask logits of one image into an instance map.

    Args:
        mask_logits: (N, h, w).
        size: (H, W) of the map to make, in pixels of the image; multiples of h and w.
        config: thresholds; areas are in pixels of the image.

    Returns:
        (H, W) int64, 0 background, ids 1..K.
    """
    released = config.averaging == "binary"
    soft = mask_logits.float().sigmoid()
    if released:  # binary masks cannot be enlarged: whatever a border touches would be above a threshold of 0
        soft = _enlarge(soft, size)
    pixels_per_cell = size[0] * size[1] / soft[0].numel()
    binary = (soft > config.binarise_threshold).flatten(1)
    candidates = binary.sum(1) * pixels_per_cell > config.min_area
    soft, binary = soft[candidates], binary[candidates].float()
    order = torch.arange(len(soft)) if released else _by_confidence(soft.flatten(1), binary)
    membership = _group(binary, order, config.group_threshold).to(soft)
    votes = binary if released else soft.flatten(1)
    averaged = (membership @ votes) / membership.sum(1, keepdim=True)
    if config.containment_threshold is not None:
        keep = _not_contained(averaged, config.mask_threshold, config.containment_threshold)
        averaged = averaged[keep]
    return _paint(averaged.view(-1, *soft.shape[1:]), size, config)


def _by_confidence(soft: Tensor, binary: Tensor) -> Tensor:
    """Indices of masks (N, P), those with the highest mean soft value inside the binary mask first."""
    return ((soft * binary).sum(1) / binary.sum(1).clamp(min=1)).argsort(descending=True)


def _group(binary: Tensor, order: Tensor, threshold: float) -> Tensor:
    """Greedy clustering of masks (N, P) by Dice similarity; returns the membership (G, N) of 0 and 1.

    The first ungrouped query of `order` gathers all ungrouped queries that overlap it enough. The Dice similarity of
    all pairs is one matrix product.
    """
    areas = binary.sum(1)
    similar = (2 * (binary @ binary.T) / (areas[:, None] + areas[None, :]).clamp(min=1) > threshold).cpu()
    free = torch.ones(len(binary), dtype=torch.bool)
    groups = []
    for query in order.tolist():
        if free[query]:
            members = similar[query] & free
            members[query] = True
            free &= ~members
            groups.append(members)
    return torch.stack(groups) if groups else free.new_zeros(0, len(binary))


def _not_contained(averaged: Tensor, mask_threshold: float, containment_threshold: float) -> Tensor:
    """Which of the groups (G, P) to keep: those that do not lie mostly inside a larger one."""
    binary = (averaged > mask_threshold).float()
    areas = binary.sum(1)
    inside = (binary @ binary.T) / areas.clamp(min=1)[:, None]  # share of row inside column
    larger = areas[None, :] > areas[:, None]
    return ~((inside >= containment_threshold) & larger).any(1)


def _paint(averaged: Tensor, size: tuple[int, int], config: InferenceConfig) -> Tensor:
    """Give each pixel to its best group if that is above the threshold, drop small objects, renumber.

    A pixel above the threshold is beside a cell above it, so each group is enlarged only around its own cells.
    """
    rows, columns = size[0] // averaged.shape[-2], size[1] // averaged.shape[-1]
    labels = torch.zeros(size, dtype=torch.long, device=averaged.device)
    best = averaged.new_full(size, config.mask_threshold)
    for id, (top, bottom, left, right) in enumerate(_windows(averaged > config.mask_threshold), 1):
        part = averaged[id - 1 : id, top:bottom, left:right]
        enlarged = _enlarge(part, ((bottom - top) * rows, (right - left) * columns))[0]
        window = (slice(top * rows, bottom * rows), slice(left * columns, right * columns))
        labels[window].masked_fill_(enlarged > best[window], id)
        torch.maximum(best[window], enlarged, out=best[window])
    return drop_small(labels, config.min_area)


def _windows(masks: Tensor) -> list[list[int]]:
    """First and last row and column, the last exclusive, of each of the masks (G, h, w) with a cell around it.

    The whole map for an empty mask.
    """
    limits = []
    for present in (masks.any(2), masks.any(1)):
        before = present.to(torch.uint8).argmax(1) - 1
        after = present.shape[1] - present.flip(1).to(torch.uint8).argmax(1) + 1
        limits += [before.clamp(min=0), after.clamp(max=present.shape[1])]
    return torch.stack(limits, 1).tolist()


def _enlarge(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, h, w) -> (N, H, W), bilinear."""
    return F.interpolate(masks[None], size=size, mode="bilinear", align_corners=False)[0]
