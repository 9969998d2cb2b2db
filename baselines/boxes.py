"""Bounding boxes of the instances of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from pctrans.targets import Targets


def instance_boxes(targets: Targets) -> Tensor:
    """Find bounding boxes (B, K, 4) = (left, top, right, bottom) in pixels, the last two excluded; 0 where padded."""
    labels = targets.labels
    batch, height, width = labels.shape
    places = targets.valid.shape[1] + 1
    bins = (labels + torch.arange(batch, device=labels.device)[:, None, None] * places).flatten()
    y, x = torch.meshgrid(
        torch.arange(height, device=labels.device), torch.arange(width, device=labels.device), indexing="ij"
    )
    # Signs are such that all corners grow outwards, so that one maximum finds the box.
    corners = torch.stack((-x, -y, x + 1, y + 1), dim=-1).float()
    corners = corners.expand(batch, -1, -1, -1).reshape(-1, 4)
    lowest = corners.new_full((batch * places, 4), -float(height + width))
    boxes = lowest.scatter_reduce(0, bins[:, None].expand(-1, 4), corners, "amax").view(batch, places, 4)[:, 1:]
    return torch.where(targets.valid[..., None], boxes * boxes.new_tensor([-1, -1, 1, 1]), 0)
