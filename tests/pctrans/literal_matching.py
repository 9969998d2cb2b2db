"""The bipartite matching of section 3.1, pair by pair, and the points at which masks are compared."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from literal_losses import literal_bce, literal_centre, literal_dice
from literal_maps import sampled
from scipy.optimize import linear_sum_assignment
from torch import Tensor


@dataclass(frozen=True)
class Instance:
    """One object of a batch.

    Attributes:
        image: its image.
        mask: (H, W), bool.
        centre: (2,), centre of mass, (x, y) in [0, 1].
    """

    image: int
    mask: Tensor
    centre: Tensor


def instances_of(labels: Tensor) -> list[Instance]:
    """Those of label maps (B, H, W), image by image, in the order of their ids."""
    found = []
    for b, image in enumerate(labels):
        for i in sorted(set(image.flatten().tolist()) - {0}):
            found.append(Instance(b, image == i, literal_centre(image == i)))
    return found


def truth_at(instance: Instance, points: Tensor) -> Tensor:
    """Whether the pixel under each point (P, 2) is the instance's, (P,)."""
    height, width = instance.mask.shape
    return instance.mask[(points[:, 1] * height).long(), (points[:, 0] * width).long()]


def literal_matching(
    masks: Tensor, centres: Tensor, instances: list[Instance], points: Tensor, centre_weight: float
) -> list[int]:
    """The query of each of one image's instances: the least sum of BCE + Dice + `centre_weight` × L1 of the centres.

    Args:
        masks: logits (N, h, w).
        centres: (N, 2).
        points: (P, 2).
    """
    if not instances:
        return []
    cost = torch.zeros(len(masks), len(instances), dtype=torch.float64)
    values = sampled(masks, points)
    for k, instance in enumerate(instances):
        truth = truth_at(instance, points)
        for q in range(len(masks)):
            distance = (centres[q] - instance.centre).abs().sum()
            cost[q, k] = literal_bce(values[q], truth) + literal_dice(values[q], truth) + centre_weight * distance
    queries, columns = linear_sum_assignment(cost.numpy())
    return [int(queries[list(columns).index(k)]) for k in range(len(instances))]


def undecided_points(mask: Tensor, candidates: Tensor, others: Tensor) -> Tensor:
    """PointRend's points (P, 2) for one mask of logits (h, w), P a third of the candidates' number.

    Three quarters are those of `candidates` where the soft mask is nearest to 0.5, the rest are `others`.
    """
    wanted = len(candidates) // 3 - len(others)
    certainty = sampled(mask[None], candidates)[0].abs().tolist()
    chosen = sorted(range(len(candidates)), key=lambda i: certainty[i])[:wanted]
    return torch.cat((candidates[chosen], others))
