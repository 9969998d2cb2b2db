"""What processes do in the tests of `benchmarks.training.processes`; importable by fresh ones."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import benchmarks
from benchmarks.errors import UserError
from benchmarks.training.gradients import average_over_processes
from benchmarks.training.processes import run_processes
from benchmarks.training.synchronised import synchronise
from pctrans.distributed import count_per_process, gathered, mean_over_processes, rand_for_slice, rank, world_size

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "batch norm": lambda: nn.BatchNorm2d(3),
    "batch norm without weights": lambda: nn.BatchNorm2d(3, affine=False),
    "batch norm with a plain average": lambda: nn.BatchNorm2d(3, momentum=None),
    "batch norm without running statistics": lambda: nn.BatchNorm2d(3, track_running_stats=False),
    "batch norm of vectors": lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48)),
    "dropout": lambda: nn.Dropout(0.4),
    "dropout of what is laid out otherwise": lambda: _Transposed(),
}


class _Transposed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(x.transpose(1, 3))


def through_layers() -> dict[str, dict[str, np.ndarray]]:
    """Output, gradients and buffers of each layer after two passes of this process' slice of (6, 3, 4, 4)."""
    generator = torch.Generator().manual_seed(0)
    whole = 100 + torch.arange(6.0)[:, None, None, None] + torch.randn(6, 3, 4, 4, generator=generator)
    share = slice(6 // world_size() * rank(), 6 // world_size() * (rank() + 1))
    found = {}
    for name, build in LAYERS.items():
        layer = build()
        if world_size() > 1:
            synchronise(layer)
        torch.manual_seed(1)
        for scale in (1.0, 2.0):
            x = (scale * whole[share]).requires_grad_()
            y = layer(x)
            factors = torch.arange(6.0)[share].view(-1, *[1] * (y.dim() - 1))
            (y * y * factors).mean().backward()
        average_over_processes(list(layer.parameters()), {"none": torch.zeros(())}) if list(
            layer.parameters()
        ) else None
        evaluated = layer.eval()(whole[share])
        found[name] = {
            "output": y.detach().numpy(),
            "gradient": (x.grad / world_size()).numpy(),
            "evaluated": evaluated.detach().numpy(),
            **{key: p.grad.numpy() for key, p in layer.named_parameters()},
            **{key: value.numpy() for key, value in layer.named_buffers()},
        }
    return found


def meet(device: str, tell: Callable[..., None], name: str) -> dict[str, Any]:
    """Everything that processes do together and that does not fail."""
    logging.getLogger("pctrans_bench").warning("process %d says %s", rank(), name)
    if rank() == 1:
        tell("greeting", name)
    used, unused = nn.Linear(1, 1), nn.Linear(1, 1)
    used.weight.grad = torch.full((1, 1), float(rank()))
    if rank() == 1:
        used.bias.grad = torch.ones(1)
    losses = average_over_processes([*used.parameters(), *unused.parameters()], {"loss": torch.tensor(2.0 + rank())})
    torch.manual_seed(7)
    random, following = rand_for_slice(2, 3, device=torch.device("cpu")), torch.rand(1)
    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "names": gathered(f"process {rank()}"),
        "count": count_per_process(torch.tensor(3 * rank())).item(),
        "no count": count_per_process(torch.tensor(0)).item(),
        "mean": mean_over_processes(torch.tensor(1.0 + rank())).item(),
        "random": random.numpy(),
        "next random": following.item(),
        "losses": {key: value.item() for key, value in losses.items()},
        "used": [p.grad.item() for p in used.parameters()],
        "unused": [p.grad for p in unused.parameters()],
        "layers": through_layers(),
    }


def fail(device: str, tell: Callable[..., None], how: str) -> None:
    """Process 1 fails while process 0 waits for it."""
    if rank() == 1:
        if how == "raises":
            raise UserError("the second process has had enough")
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        tell("waiting", os.getpid())
        time.sleep(600)
    gathered(tell("waiting", os.getpid()))


def where(device: str, tell: Callable[..., None]) -> tuple[str | None, str | None]:
    """Where `benchmarks` comes from, and what Python was told about the current folder."""
    return benchmarks.__file__, os.environ.get("PYTHONSAFEPATH")


def main() -> None:
    """Run two processes that wait, and write their numbers to a file."""
    path = Path(sys.argv[1])

    def told(name: str, pid: int) -> None:
        with path.open("a") as file:
            file.write(f"{pid}\n")

    run_processes(fail, ("waits",), ["cpu", "cpu"], told)


if __name__ == "__main__":
    main()
