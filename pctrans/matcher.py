"""Which query answers for which instance (eq. 1; bipartite matching)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import record_function

from pctrans.points import sample_labels, sample_logits
from pctrans.targets import Targets


@dataclass(frozen=True)
class Matching:
    """Pairs of one prediction, over the whole batch.

    Attributes:
        image: (M,) index of the image.
        query: (M,) index of the query.
        instance: (M,) index of the instance, 0-based: its label is one more.
    """

    image: Tensor
    query: Tensor
    instance: Tensor


def matching_cost(logits: Tensor, truth: Tensor) -> Tensor:
    """BCE + Dice of every query with every instance.

    Args:
        logits: (B, N, P), mask logits at P points.
        truth: (B, K, P), 1 inside the instance.

    Returns:
        (B, N, K).
    """
    truth = truth.to(logits.dtype).transpose(1, 2)
    points = logits.shape[-1]
    product = logits @ truth
    # BCE with logits x and target t is softplus(x) - x t.
    bce = F.softplus(logits).mean(-1, keepdim=True) - product / points
    soft = logits.sigmoid()
    areas = soft.sum(-1, keepdim=True) + truth.sum(1)[:, None]
    dice = 1 - (2 * (soft @ truth) + 1) / (areas + 1)
    return bce + dice


@torch.no_grad()
@record_function("matching")
def match(mask_logits: list[Tensor], targets: Targets, num_points: int) -> list[Matching]:
    """Match each prediction of a list with the instances, by cost at uniform random points.

    Args:
        mask_logits: predictions (B, N, h, w).
        targets: the instances.
        num_points: points an image; all predictions see the same ones.

    Returns:
        One `Matching` per prediction. With more instances than queries, the costliest stay unmatched.
    """
    device = mask_logits[0].device
    batch, most = targets.valid.shape
    points = torch.rand(batch, num_points, 2, device=device)
    ids = torch.arange(1, most + 1, device=device)
    labels = sample_labels(targets.labels, points, torch.arange(batch, device=device))
    truth = labels[:, None] == ids[:, None]
    costs = [matching_cost(sample_logits(logits.float(), points), truth) for logits in mask_logits]
    # One transfer for all predictions; the assignment itself is SciPy's, on the host. It refuses NaN; the loss,
    # which then is NaN too, is where the trainer looks for it and can say which images it came from.
    return [_assign(cost, targets.counts, device) for cost in torch.stack(costs).nan_to_num().cpu().numpy()]


def _assign(cost: np.ndarray, counts: list[int], device: torch.device) -> Matching:
    pairs = [linear_sum_assignment(c[:, :count]) for c, count in zip(cost, counts, strict=True)]
    image = np.repeat(np.arange(len(pairs)), [len(queries) for queries, _ in pairs])
    query = np.concatenate([queries for queries, _ in pairs])
    instance = np.concatenate([instances for _, instances in pairs])
    return Matching(*(torch.as_tensor(x, dtype=torch.long, device=device) for x in (image, query, instance)))
