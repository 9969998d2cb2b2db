"""What every network does to images before it, and to label maps after it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIZE_DIVISOR = 32
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """Images (B, 3, H, W) in [0, 1] to ImageNet's mean and deviation, as pretrained backbones expect."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


def pad_to_multiple(x: Tensor, divisor: int = SIZE_DIVISOR) -> Tensor:
    """Zeros to the right and below (..., H, W) until height and width are multiples of `divisor`."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % divisor, 0, -height % divisor))


def confidence_of(labels: Tensor, scores: Tensor) -> Tensor:
    """Give each pixel of a label map (H, W) the score of its object, 0 on the background.

    Args:
        labels: ids 0..K.
        scores: (K,) float.
    """
    return torch.cat([scores.new_zeros(1), scores])[labels]


def drop_small(labels: Tensor, min_area: int) -> Tensor:
    """Remove objects of at most `min_area` pixels from one label map (H, W) and number the rest 1..K, in order."""
    return keep_objects(labels, torch.bincount(labels.flatten()) > min_area)


def keep_objects(labels: Tensor, keep: Tensor) -> Tensor:
    """Remove objects from one label map (H, W) and number the rest 1..K, in order.

    Args:
        keep: (K + 1,) bool, by id; of the background it says nothing.
    """
    keep = keep.clone()
    keep[0] = False
    return (keep.cumsum(0) * keep)[labels]
