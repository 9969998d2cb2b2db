"""The query enhancement module: QEC (eq. 6) and MCC (eq. 7).

Both have the form log[1 + Σ_k+ Σ_k- exp(d(v, k-)/τ - d(v, k+)/τ)] (the paper's leading minus is a misprint:
it would reward mistaken similarities). The double sum is a product of two sums, so the loss is

    softplus(logsumexp_k-(d(v, k-)/τ) + logsumexp_k+(-d(v, k+)/τ))

and costs O(N) for each anchor v.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from pctrans.distributed import count_per_process, rand_for_slice
from pctrans.matcher import Matching


@dataclass(frozen=True)
class Groups:
    """Who is alike, as seen from each query.

    Attributes:
        positives: (B, N, N), [b, v, k]: k belongs to the anchor v, which is a matched query.
        negatives: (B, N, N), [b, v, k]: k is neither v nor a positive of the anchor v.
    """

    positives: Tensor
    negatives: Tensor


@torch.no_grad()
def group_queries(queries: Tensor, matching: Matching) -> Groups:
    """Give every unmatched query of (B, N, D) to the matched one with the highest cosine similarity."""
    batch, n, _ = queries.shape
    anchors = torch.zeros(batch, n, dtype=torch.bool, device=queries.device)
    anchors[matching.image, matching.query] = True
    similarity = cosine_similarity(queries).masked_fill(~anchors[:, None, :], -torch.inf)
    nearest = similarity.argmax(-1)  # (B, N): the anchor of each query
    belongs = F.one_hot(nearest, n).bool().transpose(1, 2)  # [b, v, k]
    positives = belongs & anchors[:, :, None] & ~anchors[:, None, :]
    self_pairs = torch.eye(n, dtype=torch.bool, device=queries.device)
    return Groups(positives, anchors[:, :, None] & ~positives & ~self_pairs)


def cosine_similarity(queries: Tensor) -> Tensor:
    """(B, N, D) -> (B, N, N) in [-1, 1]."""
    unit = F.normalize(queries.float(), dim=-1)
    return unit @ unit.transpose(1, 2)


def soft_dice_similarity(mask_logits: Tensor) -> Tensor:
    """2 |A·B| / (|A| + |B|) of all pairs of soft masks: (B, N, h, w) -> (B, N, N) in [0, 1]."""
    soft = mask_logits.float().sigmoid().flatten(2)
    areas = soft.sum(-1)
    return 2 * (soft @ soft.transpose(1, 2)) / (areas[:, :, None] + areas[:, None, :]).clamp(min=1e-6)


def contrastive_loss(similarity: Tensor, groups: Groups, temperature: float) -> Tensor:
    """Eq. 6 and 7 on a similarity (B, N, N), averaged over the anchors that have a positive; else 0."""
    scaled = similarity / temperature
    has_pair = groups.positives.any(-1) & groups.negatives.any(-1)
    attract = _masked_logsumexp(-scaled, groups.positives, has_pair)
    repel = _masked_logsumexp(scaled, groups.negatives, has_pair)
    per_anchor = F.softplus(attract + repel) * has_pair
    with_positive = groups.positives.any(-1).sum()
    return per_anchor.sum() / count_per_process(with_positive)


def _masked_logsumexp(x: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
    """logsumexp of the masked entries of the last dimension in `rows`, 0 (and no NaN gradient) elsewhere."""
    x = x.masked_fill(~mask, -torch.inf).masked_fill(~rows[..., None], 0.0)
    return x.logsumexp(-1)


def released_query_contrast(queries: Tensor, groups: Groups, *, negatives: int = 10) -> Tensor:
    """QEC as the released code is described: an option, not the paper's.

    Eq. 6 on inner products at temperature 2, plus the mean squared distance of cosines from 1 (all positives) or 0
    (at most `negatives` random negatives for each positive).
    """
    queries = queries.float()
    contrast = contrastive_loss(queries @ queries.transpose(1, 2), groups, temperature=2.0)
    pairs = groups.positives | _some_negatives(groups, negatives)
    squares = (cosine_similarity(queries) - groups.positives.float()) ** 2
    return contrast + (squares * pairs).sum() / count_per_process(pairs.sum())


def _some_negatives(groups: Groups, per_positive: int) -> Tensor:
    """(B, N, N): of each anchor's negatives as many random ones as `per_positive` times its positives."""
    budget = groups.positives.sum(-1, keepdim=True) * per_positive
    noise = rand_for_slice(*groups.negatives.shape, device=groups.negatives.device)
    rank = noise.masked_fill(~groups.negatives, torch.inf).argsort(-1).argsort(-1)
    return groups.negatives & (rank < budget)
