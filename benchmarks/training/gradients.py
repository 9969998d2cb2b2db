"""Gradients of a batch that several processes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pctrans.distributed import mean_over_processes, world_size


def average_over_processes(parameters: Sequence[nn.Parameter], losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace the gradients by their mean over the processes, and return the mean of each loss.

    Everything travels at once, after the backward pass: a few milliseconds a step between GPUs of a machine. A
    parameter that has a gradient in one process only has it in all; one without any keeps none, so that the optimiser
    leaves it alone.
    """
    if world_size() == 1:
        return dict(losses)
    missing = [index for index, p in enumerate(parameters) if p.grad is None]
    own = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    present = own[0].new_ones(len(parameters))
    present[missing] = 0
    flat = torch.cat([g.flatten().float() for g in own] + [present, torch.stack(list(losses.values()))])
    *gradients, present, means = mean_over_processes(flat).split(
        [p.numel() for p in parameters] + [len(own), len(losses)]
    )
    torch._foreach_copy_(own, [g.view_as(p) for g, p in zip(gradients, parameters, strict=True)])
    for index in missing:
        if present[index] > 0:
            parameters[index].grad = own[index]
    return dict(zip(losses, means, strict=True))
