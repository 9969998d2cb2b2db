"""Comparing masks at sampled points instead of everywhere (Kirillov et al., PointRend, 2020)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def sample_logits(logits: Tensor, points: Tensor) -> Tensor:
    """Bilinear values of maps (B, C, h, w) at points (B, P, 2), (x, y) in [0, 1]; (B, C, P)."""
    grid = (2 * points - 1)[:, None].to(logits.dtype)
    return F.grid_sample(logits, grid, align_corners=False)[:, :, 0]


def sample_labels(labels: Tensor, points: Tensor, image: Tensor) -> Tensor:
    """The label under each point: (B, H, W) at (M, P, 2) gives (M, P), row m from image `image[m]`.

    The released code interpolates binary masks; asking the label map is the same but for points within half
    a pixel of a border, and needs no mask per instance.
    """
    height, width = labels.shape[-2:]
    x = (points[..., 0] * width).long().clamp(0, width - 1)
    y = (points[..., 1] * height).long().clamp(0, height - 1)
    return labels.flatten()[image[:, None] * (height * width) + y * width + x]


@torch.no_grad()
def uncertain_points(
    logits: Tensor, image: Tensor, batch: int, num_points: int, oversampling: float = 3.0, importance: float = 0.75
) -> Tensor:
    """Points (M, num_points, 2) for maps (M, h, w) of a batch, mostly where the mask is undecided.

    `oversampling` times as many points are drawn uniformly; the share `importance` is filled with those
    whose logit is nearest to 0, the rest is uniform. Masks of one image, `image` (M,) says which, choose among
    the same points: to draw them for each would take longer than to compare the masks.
    """
    important = int(importance * num_points)
    candidates = torch.rand(batch, int(oversampling * num_points), 2, device=logits.device)[image]
    certainty = sample_logits(logits[:, None].float(), candidates)[:, 0].abs()
    chosen = certainty.topk(important, dim=1, largest=False, sorted=False).indices
    chosen_points = candidates.gather(1, chosen[..., None].expand(-1, -1, 2))
    uniform = torch.rand(batch, num_points - important, 2, device=logits.device)[image]
    return torch.cat((chosen_points, uniform), dim=1)
