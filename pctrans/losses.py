"""Mask, point, discriminative and semantic loss (eq. 1, 3 and section 3.4), unweighted."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pctrans.distributed import count_per_process
from pctrans.matcher import Matching
from pctrans.points import sample_labels, sample_logits, uncertain_points
from pctrans.targets import Targets


def mask_loss(
    logits: Tensor, targets: Targets, matching: Matching, num_points: int, normaliser: float | Tensor
) -> tuple[Tensor, Tensor]:
    """BCE and Dice (eq. 1) of the matched masks at sampled points, over `normaliser`.

    Args:
        logits: (M, h, w), in the matching's order.
    """
    points = uncertain_points(logits, matching.counts, num_points)
    sampled = sample_logits(logits[:, None], points)[:, 0]
    labels = sample_labels(targets.labels, points, matching.image)
    truth = (labels == matching.instance[:, None] + 1).to(sampled.dtype)
    bce = F.binary_cross_entropy_with_logits(sampled, truth, reduction="none").mean(1)
    return bce.sum() / normaliser, dice_loss(sampled, truth).sum() / normaliser


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """1 - (2 |A·B| + 1) / (|A| + |B| + 1) over the last dimension, A the soft mask."""
    soft = logits.sigmoid()
    return 1 - (2 * (soft * truth).sum(-1) + 1) / (soft.sum(-1) + truth.sum(-1) + 1)


def point_loss(centres: Tensor, targets: Targets, matching: Matching, normaliser: float | Tensor) -> Tensor:
    """Eq. 3: L1 between the matched queries' centres (B, N, 2) and the centres of mass, over `normaliser`."""
    predicted = centres[matching.image, matching.query]
    return (predicted - targets.centres[matching.image, matching.instance]).abs().sum() / normaliser


def discriminative_loss(
    embedding: Tensor,
    labels: Tensor,
    num_instances: int,
    *,
    delta_v: float = 0.5,
    delta_d: float = 1.5,
    gamma: float = 0.001,
) -> Tensor:
    """Pull pixels to their instance's mean, push means apart (De Brabandere et al. 2017, eq. 1 to 4).

    Args:
        embedding: (B, D, h, w).
        labels: (B, h, w), 0 background (left out), ids 1..num_instances; ids may be missing.
        num_instances: the largest id of the batch.
        delta_v: pixels within this distance of their mean are not pulled.
        delta_d: means further apart than twice this are not pushed.
        gamma: weight of the pull of the means to the origin.

    Returns:
        Scalar: mean over the images that have an instance; 0 where none has.
    """
    pixels = embedding.float().flatten(2).transpose(1, 2)  # (B, P, D)
    # Membership as a matrix: products with it are several times faster than gathering and scattering.
    ids = torch.arange(1, num_instances + 1, device=labels.device)
    member = (labels.flatten(1)[..., None] == ids).float()  # (B, P, K)
    areas = member.sum(1)
    means = member.transpose(1, 2) @ pixels / areas.clamp(min=1)[..., None]  # (B, K, D)
    present = areas > 0
    count = present.sum(1)

    pull = F.relu(_norm(pixels - member @ means) - delta_v) ** 2  # of the background too, which is no member
    pull = (pull[:, None] @ member)[:, 0]
    variance = (pull / areas.clamp(min=1)).sum(1) / count.clamp(min=1)

    pairs = present[:, :, None] & present[:, None, :]
    pairs = pairs & ~torch.eye(num_instances, dtype=torch.bool, device=labels.device)
    push = F.relu(2 * delta_d - _norm(means[:, :, None] - means[:, None, :])) ** 2
    distance = (push * pairs).sum((1, 2)) / (count * (count - 1)).clamp(min=1)

    regulariser = (_norm(means) * present).sum(1) / count.clamp(min=1)
    return (variance + distance + gamma * regulariser).sum() / count_per_process((count > 0).sum())


def _norm(x: Tensor) -> Tensor:
    """Euclidean length over the last dimension, with a zero gradient at zero instead of NaN."""
    squared = (x * x).sum(-1)
    positive = squared > 0
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)


def semantic_loss(logits: Tensor, foreground: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal loss (Lin et al. 2017) of logits (B, h, w), summed over pixels / foreground pixels."""
    truth = foreground.to(logits.dtype)
    bce = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    probability = logits.sigmoid()
    wrongness = probability * (1 - truth) + (1 - probability) * truth
    weight = alpha * truth + (1 - alpha) * (1 - truth)
    return (weight * wrongness**gamma * bce).sum() / count_per_process(truth.sum())
