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

    Queries are grouped by their masks at the cells. What is averaged is enlarged first, as logits: a mask loss at
    points between the cells has taught where the outline lies between them, which probabilities, all near 0 or 1 at
    the cells, have lost.

    Args:
        mask_logits: (N, h, w).
        size: (H, W) of the map to make, in pixels of the image; multiples of h and w.
        config: thresholds; areas are in pixels of the image.

    Returns:
        (H, W) int64, 0 background, ids 1..K.
    """
    return cluster_with_confidence(mask_logits, size, config)[0]


@torch.no_grad()
def cluster_with_confidence(
    mask_logits: Tensor, size: tuple[int, int], config: InferenceConfig
) -> tuple[Tensor, Tensor]:
    """The map of `cluster_then_average`, and how sure its groups are of each pixel.

    Returns:
        (H, W) int64 and (H, W) float32 in [0, 1], the mean soft value of the group that has the pixel; of pixels of the
        background it says nothing.
    """
    logits = mask_logits.float()
    soft = logits.sigmoid().flatten(1)
    binary = (soft > config.binarise_threshold).float()
    pixels_per_cell = size[0] * size[1] / soft.shape[1]
    candidates = binary.sum(1) * pixels_per_cell > config.min_area
    logits, soft, binary = logits[candidates], soft[candidates], binary[candidates]
    if config.averaging == "binary":
        order = torch.arange(len(soft), device=soft.device)
    else:
        order = _by_confidence(soft, binary)
    groups = _group(binary, order, config.group_threshold)
    if config.containment_threshold is not None:
        groups = _not_contained(groups, soft, config, config.containment_threshold)
    # A group is painted in some twenty small steps: an accelerator would take longer to start them than to do them.
    labels, certain = _paint(groups, logits.cpu(), size, config)
    return labels.to(logits.device), certain.to(logits.device)


def _by_confidence(soft: Tensor, binary: Tensor) -> Tensor:
    """Indices of masks (N, P), none empty, those with the highest mean soft value inside the binary mask first."""
    return ((soft * binary).sum(1) / binary.sum(1)).argsort(descending=True)


def _group(binary: Tensor, order: Tensor, threshold: float) -> list[Tensor]:
    """Greedy clustering of masks (N, P), none empty, by Dice similarity; indices of each group's members, on the CPU.

    The first ungrouped query of `order` gathers all ungrouped queries that overlap it enough. The Dice similarity of
    all pairs is one matrix product.
    """
    areas = binary.sum(1)
    similar = (2 * (binary @ binary.T) / (areas[:, None] + areas[None, :]) > threshold).cpu()
    free = torch.ones(len(binary), dtype=torch.bool)
    groups = []
    for query in order.tolist():
        if free[query]:
            members = similar[query] & free
            members[query] = True
            free &= ~members
            groups.append(members.nonzero()[:, 0])
    return groups


def _not_contained(
    groups: list[Tensor], soft: Tensor, config: InferenceConfig, containment_threshold: float
) -> list[Tensor]:
    """The groups of masks (N, P) that do not lie mostly inside a larger one."""
    if not groups:
        return groups
    votes = _votes(soft, config)
    binary = (torch.stack([votes[members].mean(0) for members in groups]) > config.mask_threshold).float()
    areas = binary.sum(1)
    inside = (binary @ binary.T) / areas.clamp(min=1)[:, None]  # share of row inside column
    larger = areas[None, :] > areas[:, None]
    contained = ((inside >= containment_threshold) & larger).any(1).tolist()
    return [members for members, drop in zip(groups, contained, strict=True) if not drop]


def _votes(soft: Tensor, config: InferenceConfig) -> Tensor:
    """What of soft masks is averaged."""
    return (soft > config.binarise_threshold).float() if config.averaging == "binary" else soft


def _paint(
    groups: list[Tensor], logits: Tensor, size: tuple[int, int], config: InferenceConfig
) -> tuple[Tensor, Tensor]:
    """Give each pixel to its best group if that is above the threshold, drop small objects, renumber.

    Args:
        groups: members of each.
        logits: (N, h, w).

    Returns:
        The map, and the mean soft value of each pixel's group.
    """
    scale = size[0] // logits.shape[-2], size[1] // logits.shape[-1]
    labels = torch.zeros(size, dtype=torch.long, device=logits.device)
    best = logits.new_full(size, config.mask_threshold)
    certain = best if config.averaging == "soft" else torch.zeros_like(best)
    # Between cells a mask is at most what it is at the highest of them: no pixel outside this is above the threshold.
    highest = _votes(_highest_around(logits).sigmoid(), config) if groups else logits
    for id, members in enumerate(groups, 1):
        window = _window(highest[members].mean(0) > config.mask_threshold)
        if window is None:
            continue
        soft, inner, place = _enlarge(logits[members], window, scale)
        averaged = _votes(soft, config).mean(0)[inner]
        wins = averaged > best[place]
        labels[place].masked_fill_(wins, id)
        if certain is not best:  # votes are 0 or 1, however sure the masks are
            certain[place] = torch.where(wins, soft.mean(0)[inner], certain[place])
        torch.maximum(best[place], averaged, out=best[place])
    return drop_small(labels, config.min_area), certain


def _highest_around(x: Tensor) -> Tensor:
    """The highest value of the 3×3 cells around each of (..., h, w): on a CPU twenty times as fast as max pooling."""
    for axis in (-2, -1):
        highest, pairs = x.clone(), x.shape[axis] - 1
        for of, by in ((1, 0), (0, 1)):
            place = highest.narrow(axis, of, pairs)
            torch.maximum(place, x.narrow(axis, by, pairs), out=place)
        x = highest
    return x


def _window(present: Tensor) -> tuple[slice, slice] | None:
    """Rows and columns of a map (h, w) that hold all that is true; None if nothing is."""
    rows, columns = (present.any(axis).nonzero()[:, 0] for axis in (1, 0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _enlarge(
    logits: Tensor, window: tuple[slice, slice], scale: tuple[int, int]
) -> tuple[Tensor, tuple[slice, slice], tuple[slice, slice]]:
    """A group's soft masks, enlarged around a window of cells, what of them is inside it, and where in the image."""
    place, cells, inner = [], [], []
    for cut, factor, side in zip(window, scale, logits.shape[-2:], strict=True):
        first = max(cut.start - 1, 0)  # a cell around the window, as its border is made from both sides
        cells.append(slice(first, min(cut.stop + 1, side)))
        place.append(slice(cut.start * factor, cut.stop * factor))
        inner.append(slice((cut.start - first) * factor, (cut.stop - first) * factor))
    part = logits[:, cells[0], cells[1]]
    full = (part.shape[-2] * scale[0], part.shape[-1] * scale[1])
    soft = F.interpolate(part[None], size=full, mode="bilinear", align_corners=False)[0].sigmoid()
    return soft, (inner[0], inner[1]), (place[0], place[1])
