"""The whole training objective (eq. 8)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import record_function

from pctrans.config import PCTransConfig
from pctrans.contrast import (
    contrastive_loss,
    cosine_similarity,
    group_queries,
    released_query_contrast,
    soft_dice_similarity,
)
from pctrans.decoder import Prediction
from pctrans.distributed import count_per_process, world_size
from pctrans.losses import discriminative_loss, mask_loss, point_loss, semantic_loss
from pctrans.matcher import Matching, start_matching
from pctrans.targets import Targets

EMBEDDING_STRIDE = 8


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
    matchings = start_matching(
        [_candidates(p.mask_logits, config) for p in predictions],
        [p.centres.detach() for p in predictions],
        targets,
        config.num_points,
        config.matching_centre_weight,
    )
    # Before the first matching is asked for: they need none, and give an accelerator work meanwhile.
    losses = _dense_losses(pixel_embedding, semantic_logits, targets, config)

    normaliser = _instances(targets, pixel_embedding.device)
    bce, dice, points = [], [], []
    for prediction, matching in zip(predictions, matchings, strict=True):
        with record_function("loss: mask"):
            # Only matched masks are compared: enlarging the others would cost a backward pass through each of them.
            logits = comparison_map(prediction.mask_logits[matching.image, matching.query, None], config)[:, 0]
            pair = mask_loss(logits, targets, matching, config.num_points, normaliser)
            bce.append(pair[0])
            dice.append(pair[1])
        if weights.point:
            with record_function("loss: point"):
                points.append(point_loss(prediction.centres, targets, matching, normaliser))
    losses["mask_bce"] = weights.mask * torch.stack(bce).sum()
    losses["mask_dice"] = weights.mask * torch.stack(dice).sum()
    if points:
        losses["point"] = weights.point * torch.stack(points).sum()
    return losses | _contrastive_losses(predictions[-1], matching, config)


def _candidates(mask_logits: Tensor, config: PCTransConfig) -> Tensor:
    """What the matching looks at; channels last, as maps of many channels are resized and sampled faster so."""
    with record_function("matching"):
        return comparison_map(mask_logits.detach().contiguous(memory_format=torch.channels_last), config)


def comparison_map(mask_logits: Tensor, config: PCTransConfig) -> Tensor:
    """Masks (B, N, h, w) in float32 at 1/4 of the input, where the paper compares them."""
    if config.mask_stride == 4:
        return mask_logits.float()
    return F.interpolate(mask_logits.float(), scale_factor=2, mode="bilinear", align_corners=False)


def _dense_losses(
    pixel_embedding: Tensor, semantic_logits: Tensor | None, targets: Targets, config: PCTransConfig
) -> dict[str, Tensor]:
    weights = config.loss_weights
    labels = targets.downsampled(EMBEDDING_STRIDE)
    losses: dict[str, Tensor] = {}
    if weights.discriminative:
        with record_function("loss: discriminative"):
            loss = discriminative_loss(pixel_embedding, labels, max(targets.counts))
            losses["discriminative"] = weights.discriminative * loss
    if semantic_logits is not None:
        with record_function("loss: semantic"):
            losses["semantic"] = weights.semantic * semantic_loss(semantic_logits.float(), labels > 0)
    return losses


def _contrastive_losses(last: Prediction, matching: Matching, config: PCTransConfig) -> dict[str, Tensor]:
    weights = config.loss_weights
    losses: dict[str, Tensor] = {}
    if not (weights.query_contrast or weights.mask_contrast):
        return losses
    groups = group_queries(last.queries, matching)
    if weights.query_contrast:
        with record_function("loss: query contrast"):
            if config.query_contrast_form == "released":
                contrast = released_query_contrast(last.queries, groups)
            else:
                contrast = contrastive_loss(cosine_similarity(last.queries), groups, config.query_temperature)
            losses["query_contrast"] = weights.query_contrast * contrast
    if weights.mask_contrast:
        with record_function("loss: mask contrast"):
            contrast = contrastive_loss(soft_dice_similarity(last.mask_logits), groups, config.mask_temperature)
            losses["mask_contrast"] = weights.mask_contrast * contrast
    return losses


def _instances(targets: Targets, device: torch.device) -> float | Tensor:
    """What sums over the instances are divided by; alone it is known without waiting for an accelerator."""
    if world_size() == 1:
        return max(targets.num_instances, 1)
    return count_per_process(torch.full((), targets.num_instances, device=device))
