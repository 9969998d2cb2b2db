"""The whole training objective (eq. 8)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import record_function

from pctrans.config import PCTransConfig
from pctrans.contrast import (
    Groups,
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
    look at the last one. A term whose λ is 0 is left out.
    """
    weights, last = config.loss_weights, predictions[-1]
    matchings = start_matching(
        [_candidates(p.mask_logits, config) for p in predictions],
        [p.centres.detach() for p in predictions],
        targets,
        config.num_points,
        config.matching_centre_weight,
    )
    losses: dict[str, Tensor] = {}
    # Before the first matching is asked for: they need none, and give an accelerator work meanwhile.
    if weights.discriminative:
        losses["discriminative"] = weights.discriminative * _discriminative(pixel_embedding, targets)
    if semantic_logits is not None:
        losses["semantic"] = weights.semantic * _semantic(semantic_logits, targets)

    normaliser = _instances(targets, pixel_embedding.device)
    bce, dice, points = [], [], []
    for prediction, matching in zip(predictions, matchings, strict=True):  # later ones are still being solved
        of_masks = _mask(prediction, matching, targets, config, normaliser)
        bce.append(of_masks[0])
        dice.append(of_masks[1])
        if weights.point:
            points.append(_point(prediction, matching, targets, normaliser))
    losses["mask_bce"] = weights.mask * torch.stack(bce).sum()
    losses["mask_dice"] = weights.mask * torch.stack(dice).sum()
    if weights.point:
        losses["point"] = weights.point * torch.stack(points).sum()

    if weights.query_contrast or weights.mask_contrast:
        groups = group_queries(last.queries, matching)
        if weights.query_contrast:
            losses["query_contrast"] = weights.query_contrast * _query_contrast(last, groups, config)
        if weights.mask_contrast:
            losses["mask_contrast"] = weights.mask_contrast * _mask_contrast(last, groups, config)
    return losses


def _candidates(mask_logits: Tensor, config: PCTransConfig) -> Tensor:
    """What the matching looks at; channels last, as maps of many channels are resized and sampled faster so."""
    with record_function("matching"):
        return comparison_map(mask_logits.detach().contiguous(memory_format=torch.channels_last), config)


def comparison_map(mask_logits: Tensor, config: PCTransConfig) -> Tensor:
    """Masks (B, N, h, w) in float32 at 1/4 of the input, where the paper compares them."""
    if config.mask_stride == 4:
        return mask_logits.float()
    return F.interpolate(mask_logits.float(), scale_factor=2, mode="bilinear", align_corners=False)


def _discriminative(pixel_embedding: Tensor, targets: Targets) -> Tensor:
    with record_function("loss: discriminative"):
        return discriminative_loss(pixel_embedding, targets.downsampled(EMBEDDING_STRIDE), max(targets.counts))


def _semantic(logits: Tensor, targets: Targets) -> Tensor:
    with record_function("loss: semantic"):
        return semantic_loss(logits.float(), targets.downsampled(EMBEDDING_STRIDE) > 0)


def _mask(
    prediction: Prediction, matching: Matching, targets: Targets, config: PCTransConfig, normaliser: float | Tensor
) -> tuple[Tensor, Tensor]:
    """BCE and Dice of the matched masks."""
    with record_function("loss: mask"):
        # Only matched masks are compared: enlarging the others would cost a backward pass through each of them.
        logits = comparison_map(prediction.mask_logits[matching.image, matching.query, None], config)[:, 0]
        return mask_loss(logits, targets, matching, config.num_points, normaliser)


def _point(prediction: Prediction, matching: Matching, targets: Targets, normaliser: float | Tensor) -> Tensor:
    with record_function("loss: point"):
        return point_loss(prediction.centres, targets, matching, normaliser)


def _query_contrast(last: Prediction, groups: Groups, config: PCTransConfig) -> Tensor:
    with record_function("loss: query contrast"):
        if config.query_contrast_form == "released":
            return released_query_contrast(last.queries, groups)
        return contrastive_loss(cosine_similarity(last.queries), groups, config.query_temperature)


def _mask_contrast(last: Prediction, groups: Groups, config: PCTransConfig) -> Tensor:
    with record_function("loss: mask contrast"):
        return contrastive_loss(soft_dice_similarity(last.mask_logits), groups, config.mask_temperature)


def _instances(targets: Targets, device: torch.device) -> float | Tensor:
    """What sums over the instances are divided by; alone it is known without waiting for an accelerator."""
    if world_size() == 1:
        return max(targets.num_instances, 1)
    return count_per_process(torch.full((), targets.num_instances, device=device))
