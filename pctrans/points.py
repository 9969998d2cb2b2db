"""Comparing masks at sampled points instead of everywhere (Kirillov et al., PointRend, 2020)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pctrans.distributed import rand_for_slice


def sample_logits(logits: Tensor, points: Tensor) -> Tensor:
    """Bilinear values of maps (B, C, h, w) at points (B, P, 2), (x, y) in [0, 1]; (B, C, P)."""
    grid = (2 * points - 1)[:, None].to(logits.dtype)
    return F.grid_sample(logits, grid, align_corners=False)[:, :, 0]


def sample_labels(labels: Tensor, points: Tensor, image: Tensor) -> Tensor:
    """The label under each point: (B, H, W) at (M, P, 2), (x, y) in [0, 1], gives (M, P), row m of image `image[m]`.

    The released code interpolates binary masks; asking the label map is the same but for points within half
    a pixel of a border, and needs no mask per instance.
    """
    height, width = labels.shape[-2:]
    x = (points[..., 0] * width).long().clamp(max=width - 1)
    y = (points[..., 1] * height).long().clamp(max=height - 1)
    return labels.flatten()[image[:, None] * (height * width) + y * width + x]


@torch.no_grad()
def uncertain_points(
    logits: Tensor, counts: list[int], num_points: int, oversampling: float = 3.0, importance: float = 0.75
) -> Tensor:
    """Points (M, num_points, 2) for maps (M, h, w), mostly where the mask is undecided.

    `oversampling` times as many points are drawn uniformly; the share `importance` is filled with those
    whose logit is nearest to 0, the rest is uniform. Masks of one image choose among the same points, so that all of
    them are sampled at once: to draw and sample for each mask takes several times as long.

    Args:
        counts: masks of each image, which follow each other; they sum to M.
    """
    important, drawn = int(importance * num_points), int(oversampling * num_points)
    candidates = rand_for_slice(len(counts), drawn, 2, device=logits.device)
    uniform = rand_for_slice(len(counts), num_points - important, 2, device=logits.device)
    points = []
    for masks, places, others in zip(logits.split(counts), candidates, uniform, strict=True):
        # Maps of many channels are sampled several times faster channels last.
        maps = masks[None].float().contiguous(memory_format=torch.channels_last)
        certainty = sample_logits(maps, places[None])[0].abs()
        chosen = certainty.topk(important, largest=False, sorted=False).indices
        points.append(torch.cat((places[chosen], others.expand(len(masks), -1, -1)), dim=1))
    return torch.cat(points)
