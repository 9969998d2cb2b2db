"""Turn class and mask logits of queries into a map of instances."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.mask2former.config import Mask2FormerInference
from pctrans.images import confidence_of, drop_small

# The number of values of full-size masks in memory at a time: 16 masks of 1024×1024.
_CHUNK_VALUES = 2**24


def paint_instances(
    class_logits: Tensor,
    mask_logits: Tensor,
    padded_size: tuple[int, int],
    size: tuple[int, int],
    settings: Mask2FormerInference,
) -> tuple[Tensor, Tensor]:
    """Give each pixel of one image to the query with the best score × mask probability.

    A query's mask is where its mask probability is above the threshold; its score is its class probability × the
    mean mask probability inside its mask. Queries with low class probability, duplicates of better queries and pixels
    outside a mask take no part.

    Args:
        class_logits: (N, 2), "object" and "no object".
        mask_logits: (N, h, w) of the padded image, to which they are resized bilinearly.
        padded_size: size of the image that the network saw.
        size: size of the image before padding, to which masks are cut before anything is measured on them.

    Returns:
        Labels (*size) int64, 0 background, 1..K in the order of the queries; and (*size) float, the score of the query
        that has the pixel, else 0.
    """
    probabilities = class_logits.softmax(-1)[:, 0]
    candidates = probabilities > settings.score_threshold
    probabilities, mask_logits = probabilities[candidates], mask_logits[candidates]
    rows, columns = (math.ceil(n * size[i] / padded_size[i]) for i, n in enumerate(mask_logits.shape[-2:]))
    shown = distinct(probabilities, mask_logits[:, :rows, :columns].flatten(1), settings)
    probabilities, mask_logits = probabilities[shown], mask_logits[shown]
    scores = torch.zeros_like(probabilities)
    pixels = size[0] * size[1]
    best, winner = mask_logits.new_zeros(pixels), torch.zeros(pixels, dtype=torch.long, device=mask_logits.device)
    chunk = max(1, _CHUNK_VALUES // (padded_size[0] * padded_size[1]))
    for start in range(0, len(probabilities), chunk):
        part = slice(start, start + chunk)
        logits = F.interpolate(mask_logits[None, part], padded_size, mode="bilinear", align_corners=False)
        logits = logits[0, :, : size[0], : size[1]].flatten(1)
        query, pixel, mask, scores[part] = _scored_pixels(logits, probabilities[part], settings.mask_threshold)
        value = scores[part][query] * mask
        best.scatter_reduce_(0, pixel, value, "amax")
        wins = value == best[pixel]
        winner[pixel[wins]] = query[wins] + start + 1
    winner = winner.view(size)
    return drop_small(winner, settings.min_area), confidence_of(winner, scores)


def distinct(probabilities: Tensor, mask_logits: Tensor, settings: Mask2FormerInference) -> Tensor:
    """Find the queries of whose mask at least `visible_share` is outside the masks of better ones.

    Queries are visited in the order of their scores, so that the best of several duplicates stays; only queries that
    stay cover others. Shares are measured on the cells of the mask logits, as masks are many and a share needs no fine
    outline.

    Args:
        probabilities: (N,), class probabilities.
        mask_logits: (N, cells) inside the image.

    Returns:
        (K,) int64, ascending.
    """
    inside = mask_logits > _logit(settings.mask_threshold)
    areas = inside.sum(1)
    scores = probabilities * (mask_logits.sigmoid() * inside).sum(1) / areas.clamp(min=1)
    covered = inside.new_zeros(inside.shape[1])
    kept = []
    for query in scores.argsort(descending=True, stable=True).tolist():
        visible = (inside[query] & ~covered).sum()
        if areas[query] and visible >= settings.visible_share * areas[query]:
            kept.append(query)
            covered |= inside[query]
    return torch.tensor(sorted(kept), dtype=torch.long, device=mask_logits.device)


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _scored_pixels(logits: Tensor, probabilities: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """List query, pixel and mask probability of each pixel inside a mask; masks cover little of the image.

    Args:
        logits: (C, H·W) at full size.
        probabilities: (C,), class probabilities.

    Returns:
        The lists, and the scores (C,) of the queries.
    """
    query, pixel = (logits > _logit(threshold)).nonzero(as_tuple=True)
    mask = logits[query, pixel].sigmoid()
    areas = torch.bincount(query, minlength=len(logits)).clamp(min=1)
    means = torch.zeros_like(probabilities).index_add_(0, query, mask) / areas
    return query, pixel, mask, probabilities * means
