"""The whole training objective (eq. 8)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pctrans.config import PCTransConfig
from pctrans.contrast import (
    contrastive_loss,
    cosine_similarity,
    group_queries,
    released_query_contrast,
    soft_dice_similarity,
)
from pctrans.decoder import MASK_STRIDE, Prediction
from pctrans.losses import discriminative_loss, mask_loss, point_loss, semantic_loss
from pctrans.matcher import Matching, match
from pctrans.targets import Targets


def weighted_losses(
    predictions: list[Prediction],
    pixel_embedding: Tensor,
    semantic_logits: Tensor | None,
    targets: Targets,
    config: PCTransConfig,
) -> dict[str, Tensor]:
    """The terms of eq. 8, each already multiplied by its λ; their sum is the loss.

    Mask and point loss are summed over all predictions, each with its own matching; the contrastive losses
    look at the last one.
    """
    weights = config.loss_weights
    # Maps of many channels are resized and sampled several times faster channels last.
    candidates = [p.mask_logits.detach().contiguous(memory_format=torch.channels_last) for p in predictions]
    matchings = match([_enlarged(logits) for logits in candidates], targets, config.num_points)
    normaliser = _instances_per_process(targets.num_instances, pixel_embedding.device)

    # Only matched masks are compared: enlarging the others would cost a backward pass through each of them.
    pairs = [
        mask_loss(_enlarged(p.mask_logits[m.image, m.query, None])[:, 0], targets, m, config.num_points, normaliser)
        for p, m in zip(predictions, matchings, strict=True)
    ]
    losses = {
        "mask_bce": weights.mask * torch.stack([bce for bce, _ in pairs]).sum(),
        "mask_dice": weights.mask * torch.stack([dice for _, dice in pairs]).sum(),
    }
    if weights.point:
        terms = [
            point_loss(p.centres, targets, matching, normaliser)
            for p, matching in zip(predictions, matchings, strict=True)
        ]
        losses["point"] = weights.point * torch.stack(terms).sum()
    if weights.discriminative:
        losses["discriminative"] = weights.discriminative * discriminative_loss(
            pixel_embedding, targets.downsampled(MASK_STRIDE), max(targets.counts)
        )
    if semantic_logits is not None:
        foreground = targets.downsampled(MASK_STRIDE) > 0
        losses["semantic"] = weights.semantic * semantic_loss(semantic_logits.float(), foreground)
    losses |= _contrastive_losses(predictions[-1], matchings[-1], config)
    return losses


def _enlarged(mask_logits: Tensor) -> Tensor:
    """(B, N, h, w) -> (B, N, 2h, 2w): the paper compares masks at 1/4, twice the resolution at which they are made."""
    return F.interpolate(mask_logits.float(), scale_factor=2, mode="bilinear", align_corners=False)


def _contrastive_losses(last: Prediction, matching: Matching, config: PCTransConfig) -> dict[str, Tensor]:
    weights = config.loss_weights
    losses: dict[str, Tensor] = {}
    if not (weights.query_contrast or weights.mask_contrast):
        return losses
    groups = group_queries(last.queries, matching)
    if weights.query_contrast:
        if config.query_contrast_form == "released":
            contrast = released_query_contrast(last.queries, groups)
        else:
            contrast = contrastive_loss(cosine_similarity(last.queries), groups, config.query_temperature)
        losses["query_contrast"] = weights.query_contrast * contrast
    if weights.mask_contrast:
        similarity = soft_dice_similarity(last.mask_logits)
        losses["mask_contrast"] = weights.mask_contrast * contrastive_loss(similarity, groups, config.mask_temperature)
    return losses


def _instances_per_process(count: int, device: torch.device) -> float:
    """Instances in the batch, averaged over processes so that all divide by the same; at least 1."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return max(count, 1)
    total = torch.tensor(float(count), device=device)
    torch.distributed.all_reduce(total)
    return max(total.item() / torch.distributed.get_world_size(), 1)
