"""What the method computes, written from the definitions without a thought for speed."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from pctrans.mask_head import DynamicMaskHead


def grouped_convolution(
    head: DynamicMaskHead, queries: Tensor, centres: Tensor, features: Tensor, stride: int
) -> Tensor:
    """Eq. 5 as CondInst computes it: F_mask (B, C, h, w) and M_rc copied for every query, one group each."""
    batch, n, _ = queries.shape
    h, w = features.shape[-2:]
    c, unit = head.channels, head.coordinate_unit
    copies = features[:, None].expand(-1, n, -1, -1, -1)
    if head.relative_coordinates:
        x, y = (torch.arange(w) + 0.5) * stride, (torch.arange(h) + 0.5) * stride
        across = (centres[..., 0, None, None] * w * stride - x) / unit
        down = (centres[..., 1, None, None] * h * stride - y[:, None]) / unit
        relative = torch.stack((across.expand(-1, -1, h, -1), down.expand(-1, -1, -1, w)), dim=2)
        copies = torch.cat((copies, relative), dim=2)
    sizes = [c * head.in_channels, c, c * c, c, c, 1]
    w1, b1, w2, b2, w3, b3 = head.controller(queries).split(sizes, dim=-1)
    groups = batch * n
    x = copies.reshape(1, groups * head.in_channels, h, w)
    x = F.relu(F.conv2d(x, w1.reshape(groups * c, head.in_channels, 1, 1), b1.flatten(), groups=groups))
    x = F.relu(F.conv2d(x, w2.reshape(groups * c, c, 1, 1), b2.flatten(), groups=groups))
    return F.conv2d(x, w3.reshape(groups, c, 1, 1), b3.flatten(), groups=groups).view(batch, n, h, w)


def literal_contrast(queries: Tensor, similarity: Tensor, pairs: list[tuple[int, int]], tau: float) -> float:
    """log[1 + ΣΣ exp(d(v, k-)/τ - d(v, k+)/τ)], mean over the anchors with a positive."""
    losses = []
    for b in range(len(queries)):
        anchors = [q for image, q in pairs if image == b]
        if not anchors:
            continue
        everyone = range(queries.shape[1])

        def cosine(i: int, j: int, b: int = b) -> float:
            return torch.cosine_similarity(queries[b, i], queries[b, j], dim=0).item()

        belongs = {k: max(anchors, key=lambda v: cosine(v, k)) for k in everyone if k not in anchors}
        for v in anchors:
            positives = [k for k, anchor in belongs.items() if anchor == v]
            negatives = [k for k in everyone if k != v and k not in positives]
            if positives:
                d = similarity[b, v].tolist()
                total = sum(math.exp(d[n] / tau - d[p] / tau) for p in positives for n in negatives)
                losses.append(math.log(1 + total))
    return sum(losses) / max(len(losses), 1)


def literal_cosines(queries: Tensor) -> Tensor:
    """Cosine similarity, pair by pair: (B, N, D) -> (B, N, N)."""
    rows = [[[torch.cosine_similarity(a, b, dim=0).item() for b in image] for a in image] for image in queries]
    return torch.tensor(rows)


def literal_dices(mask_logits: Tensor) -> Tensor:
    """Dice similarity of soft masks, pair by pair: (B, N, h, w) -> (B, N, N)."""
    rows = [
        [[(2 * (a * b).sum() / (a.sum() + b.sum())).item() for b in image] for a in image]
        for image in mask_logits.sigmoid()
    ]
    return torch.tensor(rows)
