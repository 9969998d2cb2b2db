"""A batch that several processes share: each has a slice of as many images, process 0 the first ones.

What is trained on is the mean of the processes' losses. It equals the loss of one process with the whole batch where
every sum is divided by `count_per_process` and random numbers come from `rand_for_slice`. Without a process group,
the slice is the whole batch.
"""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


def world_size() -> int:
    """How many processes share the batch."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def count_per_process(count: Tensor) -> Tensor:
    """What a slice divides a sum by: the count of the whole batch, at least 1, over the number of processes.

    Args:
        count: of the slice; a scalar.
    """
    if world_size() == 1:
        return count.clamp(min=1)
    return mean_over_processes(count).clamp(min=1 / world_size())


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of a tensor of the same shape in each process, float32 and without a gradient."""
    total = value.detach().to(torch.float32, copy=True)
    if world_size() > 1:
        dist.all_reduce(total)
    return total / world_size()


def counts_of_processes(count: int, device: torch.device) -> list[int]:
    """A number of each process, in their order. Waits for the device and for all processes."""
    own = torch.full((1,), count, device=device)
    counts = [own] if world_size() == 1 else [torch.empty_like(own) for _ in range(world_size())]
    if world_size() > 1:
        dist.all_gather(counts, own)
    return torch.cat(counts).tolist()


def gathered(value: T) -> list[T]:
    """A value of each process, in their order, pickled: for what is rare, unlike a step."""
    values = [value] * world_size()
    if world_size() > 1:
        dist.all_gather_object(values, value)
    return values


def rand_for_slice(images: int, *shape: int, device: torch.device) -> Tensor:
    """Uniform random numbers (images, *shape) in [0, 1): what `torch.rand` for the whole batch has for the slice.

    Processes whose generators are in the same state stay so.
    """
    return torch.rand(world_size() * images, *shape, device=device)[rank() * images :][:images]
