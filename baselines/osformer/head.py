"""Dynamic camouflaged instance normalisation: a query's kernel becomes its mask."""

from __future__ import annotations

from torch import Tensor, nn


class DynamicInstanceNormalisation(nn.Module):
    """The mask head: a kernel gives a weight for each channel of the mask features, and a bias."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Linear(channels, channels)
        self.bias = nn.Linear(channels, 1)

    def forward(self, kernels: Tensor, features: Tensor) -> Tensor:
        """Compute mask logits (P, h, w) from kernels (P, C) and one image's features (C, h, w)."""
        logits = self.weight(kernels) @ features.flatten(1) + self.bias(kernels)
        return logits.unflatten(-1, features.shape[-2:])
