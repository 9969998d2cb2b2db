"""Eq. 6 and 7, anchor by anchor: log[1 + ΣΣ exp(d(v, k-)/τ - d(v, k+)/τ)]; the paper's leading minus is a misprint."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Similarity = Callable[[Tensor, Tensor], Tensor]


def literal_cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between two queries (D,)."""
    return (a * b).sum() / (a.norm() * b.norm())


def literal_overlap(a: Tensor, b: Tensor) -> Tensor:
    """Dice similarity of two masks given by logits (h, w), soft: d of eq. 7."""
    a, b = (1 / (1 + torch.exp(-x)) for x in (a, b))
    return 2 * (a * b).sum() / (a.sum() + b.sum())


def literal_inner_product(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum()


def literal_released_contrast(queries: Tensor, groups: dict[int, list[int]]) -> tuple[list[Tensor], list[Tensor]]:
    """The released form of QEC for one image of at most 11 queries (N, D), where ten negatives a positive are all.

    Returns:
        The terms of eq. 6 on inner products at temperature 2, and the squared distances of cosines from 1, of
        positives, and from 0, of the negatives of anchors that have a positive.
    """
    assert len(queries) <= 11
    squares = []
    for v, positives in groups.items():
        for k in range(len(queries)):
            if positives and k != v:
                squares.append((literal_cosine(queries[v], queries[k]) - float(k in positives)) ** 2)
    return literal_contrast_terms(queries, groups, literal_inner_product, 2.0), squares


def literal_groups(queries: Tensor, anchors: list[int]) -> dict[int, list[int]]:
    """The positives of each anchor: the unmatched queries of (N, D) whose cosine with it is their highest."""
    groups: dict[int, list[int]] = {v: [] for v in anchors}
    for k in range(len(queries)):
        if anchors and k not in anchors:
            groups[max(anchors, key=lambda v: literal_cosine(queries[v], queries[k]).item())].append(k)
    return groups


def literal_contrast_terms(items: Tensor, groups: dict[int, list[int]], d: Similarity, tau: float) -> list[Tensor]:
    """The terms of the anchors of one image that have a positive; `items` (N, ...) are queries or masks."""
    terms = []
    for v, positives in groups.items():
        negatives = [k for k in range(len(items)) if k != v and k not in positives]
        if not positives:
            continue
        total = torch.ones_like(items.flatten()[0])
        near = [d(items[v], items[k]) / tau for k in positives]
        for k in negatives:
            far = d(items[v], items[k]) / tau
            for closeness in near:
                total = total + torch.exp(far - closeness)
        terms.append(torch.log(total))
    return terms
