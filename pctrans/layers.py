"""Small building blocks that several parts of the model share."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class MLP(nn.Module):
    """`layers` linear layers with ReLU between them; (..., in) -> (..., out)."""

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int, layers: int):
        super().__init__()
        dims = [in_dim] + [hidden_dim] * (layers - 1) + [out_dim]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(dims))

    @property
    def first(self) -> nn.Linear:
        """The layer that reads the input."""
        return cast(nn.Linear, self.layers[0])

    @property
    def last(self) -> nn.Linear:
        """The layer that makes the output."""
        return cast(nn.Linear, self.layers[-1])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


def xavier(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases in every linear layer and attention inside, as the released code has.

    PyTorch's own start makes outputs a third as wide; three layers of that and a mask hardly depends on the pixel.
    """
    for part in module.modules():
        if isinstance(part, nn.MultiheadAttention):
            nn.init.xavier_uniform_(part.in_proj_weight)
            nn.init.zeros_(part.in_proj_bias)
        elif isinstance(part, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class FeedForward(nn.Module):
    """Linear, ReLU, linear, residual, norm; (..., dim) -> (..., dim)."""

    def __init__(self, dim: int, hidden_dim: int):
        super().__init__()
        self.mlp = MLP(dim, hidden_dim, dim, layers=2)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x + self.mlp(x))


def conv_norm(in_channels: int, out_channels: int, kernel_size: int, *, relu: bool = False) -> nn.Sequential:
    """Convolution without bias, GroupNorm, optionally ReLU; keeps the spatial size."""
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
        nn.GroupNorm(group_count(out_channels), out_channels),
    ]
    if relu:
        layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def group_count(channels: int, most: int = 32) -> int:
    """At most 32 groups, as DETR and its descendants have; fewer for a narrow map, so that each has two channels.

    A group of one channel has no variance on a map of one pixel, the coarsest level of a 32×32 image.
    """
    return next(groups for groups in (32, 16, 8, 4, 2, 1) if groups <= most and channels % (2 * groups) == 0)


def run_layer(layer: nn.Module, *arguments: object, recompute: bool) -> Tensor:
    """The layer's output; with `recompute`, what lies inside it is made again in the backward pass instead of kept.

    Chen et al., Training deep nets with sublinear memory cost, 2016. For layers without randomness.
    """
    if recompute and layer.training and torch.is_grad_enabled():
        return checkpoint(layer, *arguments, use_reentrant=False, preserve_rng_state=False)
    return layer(*arguments)


def inverse_sigmoid(x: Tensor, eps: float = 1e-5) -> Tensor:
    """The logit of `x`, clamped to [eps, 1 - eps] to stay finite."""
    x = x.clamp(eps, 1 - eps)
    return torch.log(x) - torch.log1p(-x)
