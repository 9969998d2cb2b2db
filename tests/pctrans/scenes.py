"""Label maps to train on."""

from __future__ import annotations

import torch


def squares(size: int, corners: list[tuple[int, int]], side: int) -> torch.Tensor:
    """A label map with one square an instance."""
    labels = torch.zeros(size, size, dtype=torch.long)
    for index, (top, left) in enumerate(corners, 1):
        labels[top : top + side, left : left + side] = index
    return labels
