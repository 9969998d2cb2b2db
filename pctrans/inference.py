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
        size: (H, W) of the map to make, in pixels of the image.
        config: thresholds; areas are in pixels of the image.

    Returns:
        (H, W) int64, 0 background, ids 1..K.
    """
    soft = mask_logits.float().sigmoid()
    pixels_per_cell = size[0] * size[1] / soft[0].numel()
    binary = (soft > config.binarise_threshold).flatten(1)
    candidates = binary.sum(1) * pixels_per_cell > config.min_area
    soft, binary = soft[candidates], binary[candidates].float()
    membership = _group(soft.flatten(1), binary, config.group_threshold).to(soft.device)
    averaged = (membership @ soft.flatten(1)) / membership.sum(1, keepdim=True).clamp(min=1)
    if config.containment_threshold is not None:
        keep = _not_contained(averaged, config.mask_threshold, config.containment_threshold)
        averaged = averaged[keep]
    averaged = averaged.view(-1, *soft.shape[1:])
    return _paint(averaged, size, config)


def _group(soft: Tensor, binary: Tensor, threshold: float) -> Tensor:
    """Greedy clustering of masks (N, P) by Dice similarity; returns the membership (G, N) of 0 and 1.

    The most confident ungrouped query (mean soft value inside its mask) gathers all ungrouped queries that
    overlap it enough. The Dice similarity of all pairs is one matrix product.
    """
    areas = binary.sum(1)
    dice = 2 * (binary @ binary.T) / (areas[:, None] + areas[None, :]).clamp(min=1)
    confidence = (soft * binary).sum(1) / areas.clamp(min=1)
    similar = (dice > threshold).cpu()
    free = torch.ones(len(soft), dtype=torch.bool)
    groups = []
    for query in confidence.argsort(descending=True).tolist():
        if free[query]:
            members = similar[query] & free
            members[query] = True
            free &= ~members
            groups.append(members)
    return torch.stack(groups).to(soft.dtype) if groups else soft.new_zeros(0, len(soft))


def _not_contained(averaged: Tensor, mask_threshold: float, containment_threshold: float) -> Tensor:
    """Which of the groups (G, P) to keep: those that do not lie mostly inside a larger one."""
    binary = (averaged > mask_threshold).float()
    areas = binary.sum(1)
    inside = (binary @ binary.T) / areas.clamp(min=1)[:, None]  # share of row inside column
    larger = areas[None, :] > areas[:, None]
    return ~((inside >= containment_threshold) & larger).any(1)


def _paint(averaged: Tensor, size: tuple[int, int], config: InferenceConfig) -> Tensor:
    """Give each pixel to its best group if that is above the threshold, drop small objects, renumber."""
    if not len(averaged):
        return torch.zeros(size, dtype=torch.long, device=averaged.device)
    full = F.interpolate(averaged[None], size=size, mode="bilinear", align_corners=False)[0]
    best, owner = full.max(0)
    labels = torch.where(best > config.mask_threshold, owner + 1, 0)
    return drop_small(labels, config.min_area)
