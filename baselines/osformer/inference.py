"""Turn cells into an instance map: point suppression, masks, matrix NMS, painting."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.osformer.config import OSFormerConfig, OSFormerInference
from baselines.osformer.head import DynamicInstanceNormalisation
from pctrans.images import confidence_of, drop_small


def instance_map(
    objectness: Tensor, kernels: Tensor, features: Tensor, head: DynamicInstanceNormalisation, config: OSFormerConfig
) -> tuple[Tensor, Tensor]:
    """Find the instances of one image.

    Args:
        objectness: logits of the cells (Q,).
        kernels: (Q, C).
        features: mask features at 1/4 (C, h, w).

    Returns:
        (4 h, 4 w) int64, ids 1..K, and (4 h, 4 w) float, the score of the instance that has the pixel, else 0.
    """
    inference = config.inference
    scores = suppress_points(objectness.sigmoid(), config.grids)
    scores, best = scores.topk(min(inference.candidates, len(scores)))
    chosen = best[scores > inference.score_threshold]
    masks = head(kernels[chosen], features).sigmoid()
    kept, scores = select(masks, scores[: len(chosen)], inference)
    return paint(masks[kept], scores, inference)


def suppress_points(scores: Tensor, grids: tuple[int, ...]) -> Tensor:
    """Set scores (Q,) of cells to 0 where the cell above, to the left or across that corner has a higher one."""
    survivors = []
    for part, grid in zip(scores.split([g * g for g in grids]), grids, strict=True):
        cells = part.view(1, grid, grid)
        highest = F.max_pool2d(cells, 2, stride=1, padding=1)[:, :-1, :-1]
        survivors.append((cells * (cells == highest)).flatten())
    return torch.cat(survivors)


def select(masks: Tensor, scores: Tensor, config: OSFormerInference) -> tuple[Tensor, Tensor]:
    """Rescore soft masks (P, h, w) at 1/4 and choose.

    Returns:
        Indices of the kept masks, best first, and their scores.
    """
    soft = masks.flatten(1)
    binary = (soft > config.mask_threshold).to(soft.dtype)
    areas = binary.sum(1)
    scores = scores * (soft * binary).sum(1) / areas.clamp(min=1)
    large = areas * 16 > config.min_area
    scores, order = (scores * large).sort(descending=True, stable=True)
    scores = matrix_nms(binary[order], scores, config.nms_sigma)
    kept = (scores >= config.keep_threshold) & large[order]
    scores, order = scores[kept], order[kept]
    scores, best = scores.topk(min(config.max_instances, len(scores)))
    return order[best], scores


def matrix_nms(masks: Tensor, scores: Tensor, sigma: float) -> Tensor:
    """Lower scores (P,) by Gaussian matrix NMS (Wang et al., SOLOv2, 2020) of binary masks (P, pixels), best first.

    The score of mask j is multiplied by the minimum over i < j of f(IoU_ij) / f(max over k < i of IoU_ki), where
    f(x) = exp(-σ x²): a mask that overlaps with a better one loses, less if that one is itself likely to be suppressed.
    σ = 2 stands for the 0.5 of the paper, which divides by it.
    """
    if not len(scores):
        return scores
    intersection = masks @ masks.T
    areas = masks.sum(1)
    union = areas[:, None] + areas[None, :] - intersection
    overlap = (intersection / union.clamp(min=1)).triu(diagonal=1)
    worst = overlap.amax(dim=0)  # the largest overlap of each mask with a better one
    decay = torch.exp(-sigma * (overlap.square() - worst[:, None].square()))
    # Masks that are no better than j have nothing to say about it.
    better = torch.ones_like(decay, dtype=torch.bool).triu(diagonal=1)
    return scores * decay.masked_fill(~better, 1).amin(dim=0)


def paint(masks: Tensor, scores: Tensor, config: OSFormerInference) -> tuple[Tensor, Tensor]:
    """Give each pixel to the instance with the best score × mask probability among those whose mask covers it.

    Args:
        masks: (P, h, w) at 1/4, soft.
        scores: (P,).

    Returns:
        (4 h, 4 w) int64, ids 1..K, and the score of each pixel's instance, 0 on the background.
    """
    size = (4 * masks.shape[-2], 4 * masks.shape[-1])
    shown = _visible_share(masks, scores, config) >= config.visible_share
    masks, scores = masks[shown], scores[shown]
    if not len(scores):
        return torch.zeros(size, dtype=torch.long, device=masks.device), masks.new_zeros(size)
    # Probabilities, not logits: however sure the network is on either side, the outline lies between the cells.
    masks = F.interpolate(masks[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    owners = _owners(masks, scores, config)
    return drop_small(owners, config.min_area), confidence_of(owners, scores)


def _owners(masks: Tensor, scores: Tensor, config: OSFormerInference) -> Tensor:
    """Find the best of P > 0 instances at each pixel: index + 1 (h, w), 0 where no mask covers it."""
    confidence = torch.where(masks > config.mask_threshold, masks * scores[:, None, None], 0)
    value, owner = confidence.max(dim=0)
    return torch.where(value > 0, owner + 1, 0)


def _visible_share(masks: Tensor, scores: Tensor, config: OSFormerInference) -> Tensor:
    """Compute the share (P,) of each mask that no better instance takes."""
    if not len(scores):
        return scores
    visible = torch.bincount(_owners(masks, scores, config).flatten(), minlength=len(scores) + 1)[1:]
    areas = (masks > config.mask_threshold).sum((1, 2))
    return visible / areas.clamp(min=1)
