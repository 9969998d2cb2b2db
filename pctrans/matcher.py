"""Which query answers for which instance (eq. 1; bipartite matching)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import record_function

from pctrans.distributed import rand_for_slice
from pctrans.points import sample_labels, sample_logits
from pctrans.targets import Targets


@dataclass(frozen=True)
class Matching:
    """Pairs of one prediction, over the whole batch, image by image.

    Attributes:
        image: (M,) index of the image.
        query: (M,) index of the query.
        instance: (M,) index of the instance, 0-based: its label is one more.
        counts: pairs of each image; known to the host, unlike `image`.
    """

    image: Tensor
    query: Tensor
    instance: Tensor
    counts: list[int]


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
def start_matching(
    mask_logits: list[Tensor],
    centres: list[Tensor],
    targets: Targets,
    num_points: int,
    centre_weight: float,
) -> Iterator[Matching]:
    """Match each prediction of a list with the instances: BCE + Dice at uniform random points, and how far centres are.

    All costs are under way when this returns. An assignment is made on the host when the iterator is asked for it,
    so an accelerator works on the losses of one prediction while the host assigns the next.

    Args:
        mask_logits: predictions (B, N, h, w).
        centres: theirs (B, N, 2), (x, y) in [0, 1].
        targets: the instances.
        num_points: points an image; all predictions see the same ones.
        centre_weight: of the L1 distance of the centres, beside BCE + Dice.

    Returns:
        An iterator over one `Matching` per prediction. With more instances than queries, the costliest stay unmatched.
    """
    device = mask_logits[0].device
    batch, most = targets.valid.shape
    points = rand_for_slice(batch, num_points, 2, device=device)
    ids = torch.arange(1, most + 1, device=device)
    labels = sample_labels(targets.labels, points, torch.arange(batch, device=device))
    truth = labels[:, None] == ids[:, None]
    costs = []
    for logits, places in zip(mask_logits, centres, strict=True):
        cost = matching_cost(sample_logits(logits.float(), points), truth)
        if centre_weight:
            cost = cost + centre_weight * torch.cdist(places.float(), targets.centres, p=1)
        costs.append(_HostCopy(cost))
    return (_assign(cost, targets.counts, device) for cost in costs)


class _HostCopy:
    """A tensor on its way to the host, where SciPy makes the assignment."""

    def __init__(self, cost: Tensor):
        # SciPy refuses NaN; the loss, which then is NaN too, is where the trainer looks for it and can say which
        # images it came from.
        self.cost = cost.nan_to_num().to("cpu", non_blocking=True)  # into pinned memory
        self.arrived = None
        if cost.is_cuda:
            self.arrived = torch.cuda.Event()
            self.arrived.record()

    def numpy(self) -> np.ndarray:
        """The values, once they are there."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.cost.numpy()


@record_function("matching")
def _assign(cost: _HostCopy, instances: list[int], device: torch.device) -> Matching:
    pairs = [linear_sum_assignment(c[:, :count]) for c, count in zip(cost.numpy(), instances, strict=True)]
    counts = [len(queries) for queries, _ in pairs]
    image = np.repeat(np.arange(len(pairs)), counts)
    query = np.concatenate([queries for queries, _ in pairs])
    instance = np.concatenate([columns for _, columns in pairs])
    indices = torch.from_numpy(np.stack((image, query, instance)).astype(np.int64)).to(device, non_blocking=True)
    return Matching(indices[0], indices[1], indices[2], counts)
