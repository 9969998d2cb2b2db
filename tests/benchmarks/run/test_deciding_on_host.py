"""Where objects are decided while thresholds are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from bright import Bright, BrightConfig

from benchmarks.run.evidence import on_host


class OnAccelerator(torch.nn.Module):
    """Says that its weights are on a card until it is told to go to the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.place = "cuda"

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        yield SimpleNamespace(device=torch.device(self.place))

    def cpu(self) -> OnAccelerator:
        self.place = "cpu"
        return self


def test_a_network_on_an_accelerator_stays_there_and_a_copy_decides() -> None:
    network: Any = OnAccelerator()
    deciding: Any = on_host(network)
    assert (network.place, deciding.place) == ("cuda", "cpu")


def test_what_is_on_the_cpu_decides_itself() -> None:
    network: Any = Bright(BrightConfig())
    assert on_host(network) is network
