"""Checkpoints: weights, their average, optimiser and iteration; all else follows from the seed."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.errors import UserError
from benchmarks.files import atomic_path
from benchmarks.training.averaging import MovingAverage


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: MovingAverage | None,
    iteration: int,
    seconds: float,
) -> None:
    """Store the state after `iteration` iterations and `seconds` of training, in one step."""
    state = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average.state_dict() if average else None,
        "iteration": iteration,
        "seconds": seconds,
    }
    with atomic_path(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:  # how torch says that the system refused to write
            raise OSError(str(error).splitlines()[0]) from error


def load_checkpoint(
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: MovingAverage | None,
    device: torch.device,
) -> tuple[int, float]:
    """Restore the state if there is one; returns iterations and seconds of training so far.

    Raises:
        UserError: the file is damaged, holds weights that are no finite numbers, or belongs to another model.
    """
    if not path.exists():
        return 0, 0.0
    try:
        _check_content(path)
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        _check_finite(state["model"], state["average"]["state"] if average else None)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        if average:
            average.load_state_dict(state["average"])
        return int(state["iteration"]), float(state["seconds"])
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # damaged files raise whatever their library likes
        reason = " ".join(str(error).split())[:400]
        raise UserError(
            f"{path} cannot be read as a checkpoint of this job ({reason}). Delete it to train from the start."
        ) from error


def _check_content(path: Path) -> None:
    """Compare every part with its CRC-32, which torch writes but does not look at."""
    with zipfile.ZipFile(path) as archive:
        if (broken := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"{broken} is not as it was written: its CRC-32 differs")


def _check_finite(*states: dict[str, Tensor] | None) -> None:
    for state in filter(None, states):
        for name, tensor in state.items():
            if not torch.isfinite(tensor).all():
                raise ValueError(f"the weights {name} hold values that are no finite numbers")
