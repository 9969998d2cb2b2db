"""Several processes of a group, played by threads of this one: what `torch.distributed` promises, without its start.

`benchmarks.training.processes` is tested with real ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock, local
from typing import Any, TypeVar

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")
PATIENCE = 10.0
"""Seconds after which somebody who does not come to an exchange fails all."""


def together(patch: pytest.MonkeyPatch, size: int, work: Callable[[int], T], seed: int = 0) -> list[T]:
    """What `work(rank)` returns in each of `size` processes; each has its own random numbers, from the same seed."""
    group = _Group(size)
    for name in ("is_initialized", "get_world_size", "get_rank", "all_reduce", "all_gather", "all_gather_object"):
        patch.setattr(dist, name, getattr(group, name))

    def run(rank: int) -> T:
        group.own.rank, group.own.exchanges = rank, 0
        with group.turn:
            try:
                torch.manual_seed(seed)
                return work(rank)
            except BaseException:
                group.meeting.abort()
                raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(run, range(size)))


class _Group:
    """One thread works at a time, until all have come to an exchange."""

    def __init__(self, size: int):
        self.size, self.own = size, local()
        self.turn, self.meeting = Lock(), Barrier(size, timeout=PATIENCE)
        self.brought: dict[int, dict[int, Any]] = defaultdict(dict)

    def is_initialized(self) -> bool:
        return True

    def get_world_size(self) -> int:
        return self.size

    def get_rank(self) -> int:
        return self.own.rank

    def all_reduce(self, tensor: Tensor) -> None:
        tensor.copy_(torch.stack(self._exchange(tensor.clone())).sum(0))

    def all_gather(self, places: list[Tensor], tensor: Tensor) -> None:
        for place, value in zip(places, self._exchange(tensor.clone()), strict=True):
            assert (place.shape, place.dtype) == (value.shape, value.dtype)
            place.copy_(value)

    def all_gather_object(self, places: list[Any], value: Any) -> None:
        assert len(places) == self.size
        places[:] = self._exchange(value)

    def _exchange(self, value: Any) -> list[Any]:
        number, numbers_drawn = self.own.exchanges, torch.get_rng_state()
        self.own.exchanges += 1
        self.brought[number][self.own.rank] = value
        self.turn.release()
        try:
            self.meeting.wait()
        finally:
            self.turn.acquire()
        torch.set_rng_state(numbers_drawn)
        return [self.brought[number][rank] for rank in range(self.size)]
