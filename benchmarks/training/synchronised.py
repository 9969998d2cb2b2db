"""Layers that look at the whole batch, where several processes share it."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm as AnyBatchNorm

from pctrans.distributed import mean_over_processes, rank, world_size


def synchronise(model: nn.Module) -> None:
    """Have a model train on its slice as it would on the whole batch; weights and buffers become those of process 0.

    While it trains, batch norms normalise by the mean and variance of the whole batch, and `nn.Dropout` of inputs
    (B, ...) keeps what it would keep of them in the whole batch. Neither names nor classes of modules change. Slices
    must be of equal size.
    """
    for module in model.modules():
        if isinstance(module, AnyBatchNorm):
            module.forward = partial(_batch_norm, module)  # type: ignore[method-assign]
        elif isinstance(module, nn.Dropout):
            module.forward = partial(_dropout, module)  # type: ignore[method-assign]
    for value in model.state_dict().values():
        dist.broadcast(value, 0)


def _batch_norm(layer: AnyBatchNorm, x: Tensor) -> Tensor:
    """(B, C, ...) -> (B, C, ...)."""
    if not layer.training:
        return type(layer).forward(layer, x)
    mean, variance = _moments(x)
    if layer.track_running_stats:
        _track(layer, mean, variance, count=world_size() * x.numel() // x.shape[1])
    return _Normalised.apply(x, layer.weight, layer.bias, mean, variance, layer.eps)


@torch.no_grad()
def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (C,) of the whole batch, float32.

    From those of the slices instead of sums of squares, which lose the variance of channels far from 0.
    """
    variance, mean = torch.var_mean(x.float(), _all_but_channels(x), correction=0)
    own = torch.stack((mean, variance))
    slices = [torch.empty_like(own) for _ in range(world_size())]
    dist.all_gather(slices, own)
    means, variances = torch.stack(slices).unbind(1)
    mean = means.mean(0)
    return mean, (variances + (means - mean) ** 2).mean(0)


@torch.no_grad()
def _track(layer: AnyBatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics as PyTorch does: the variance without bias, no momentum a plain average."""
    assert layer.running_mean is not None and layer.running_var is not None and layer.num_batches_tracked is not None
    layer.num_batches_tracked += 1
    momentum = 1 / int(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
    layer.running_mean.lerp_(mean, momentum)
    layer.running_var.lerp_(variance * (count / (count - 1)), momentum)


class _Normalised(torch.autograd.Function):
    """Normalise by moments that depend on all slices (Ioffe and Szegedy 2015).

    PyTorch's kernels for constant moments do most of it; the backward pass adds what flows through the moments.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = gradients
        x, weight, mean, variance = ctx.saved_tensors
        g_x, g_weight, g_bias = torch.ops.aten.native_batch_norm_backward(
            g, x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        along_x, along_one = mean_over_processes(torch.stack((g_weight, g_bias))) / (x.numel() // x.shape[1])
        scale = (variance + ctx.eps).rsqrt()
        slope = along_x * scale * scale
        offset = along_one * scale
        if weight is not None:
            slope, offset = slope * weight, offset * weight
        place = (-1,) + (1,) * (x.dim() - 2)  # of the channels
        through_moments = (x - mean.view(place)) * slope.view(place) + offset.view(place)
        return (
            (g_x - through_moments).to(x.dtype),
            g_weight if weight is not None else None,
            g_bias if weight is not None else None,
            None,
            None,
            None,
        )


def _all_but_channels(x: Tensor) -> tuple[int, ...]:
    return (0, *range(2, x.dim()))


def _dropout(layer: nn.Dropout, x: Tensor) -> Tensor:
    """(B, ...) -> (B, ...); draws for the whole batch."""
    if not layer.training or layer.p == 0:
        return type(layer).forward(layer, x)
    # Laid out as x, since random numbers follow each other in memory.
    whole = torch.empty_strided((world_size() * len(x), *x.shape[1:]), x.stride(), dtype=x.dtype, device=x.device)
    kept = F.dropout(whole.fill_(1), layer.p)[rank() * len(x) :][: len(x)]
    return x * kept.clone()  # a view would keep the whole batch's for the backward pass
