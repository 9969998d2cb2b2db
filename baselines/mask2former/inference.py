"""From class and mask logits of queries to a map of instances."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.mask2former.config import Mask2FormerInference
from pctrans.images import drop_small

# Values of full-size masks that are in memory at a time: 16 masks of 1024×1024.
_CHUNK_VALUES = 2**24


def paint_instances(
    class_logits: Tensor,
    mask_logits: Tensor,
    padded_size: tuple[int, int],
    size: tuple[int, int],
    settings: Mask2FormerInference,
) -> Tensor:
    """Give each pixel of one image to the query with the best score × mask probability.

    A query's mask is where its mask probability is above the threshold; its score is its class probability × the
    mean mask probability inside its mask. Queries of low class probability and pixels outside a mask take no part.

    Args:
        class_logits: (N, 2), "object" and "no object".
        mask_logits: (N, h, w), of the padded image; resized bilinearly to it.
        padded_size: of the image that the network saw.
        size: of the image before padding, to which masks are cut before anything is measured on them.

    Returns:
        Labels (*size) int64, 0 background, 1..K in the order of the queries.
    """
    probabilities = class_logits.softmax(-1)[:, 0]
    candidates = probabilities > settings.score_threshold
    probabilities, mask_logits = probabilities[candidates], mask_logits[candidates]
    pixels = size[0] * size[1]
    best, winner = mask_logits.new_zeros(pixels), torch.zeros(pixels, dtype=torch.long, device=mask_logits.device)
    chunk = max(1, _CHUNK_VALUES // (padded_size[0] * padded_size[1]))
    for start in range(0, len(probabilities), chunk):
        part = slice(start, start + chunk)
        logits = F.interpolate(mask_logits[None, part], padded_size, mode="bilinear", align_corners=False)
        logits = logits[0, :, : size[0], : size[1]].flatten(1)
        query, pixel, value = _scored_pixels(logits, probabilities[part], settings.mask_threshold)
        best.scatter_reduce_(0, pixel, value, "amax")
        wins = value == best[pixel]
        winner[pixel[wins]] = query[wins] + start + 1
    return drop_small(winner.view(size), settings.min_area)


def _scored_pixels(logits: Tensor, probabilities: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Query, pixel and score × mask probability of each pixel inside a mask; masks are a small part of the image.

    Args:
        logits: (C, H·W) at full size.
        probabilities: (C,) of the class.
    """
    query, pixel = (logits > math.log(threshold / (1 - threshold))).nonzero(as_tuple=True)
    mask = logits[query, pixel].sigmoid()
    areas = torch.bincount(query, minlength=len(logits)).clamp(min=1)
    means = torch.zeros_like(probabilities).index_add_(0, query, mask) / areas
    return query, pixel, (probabilities * means)[query] * mask
