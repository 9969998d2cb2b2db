"""Checkpoints: weights, their average, optimiser and iteration; all else follows from the seed."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

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
        torch.save(state, temporary)


def load_checkpoint(
    path: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: MovingAverage | None,
    device: torch.device,
) -> tuple[int, float]:
    """Restore the state if there is one; returns iterations and seconds of training so far.

    Raises:
        UserError: the file is damaged or belongs to another model.
    """
    if not path.exists():
        return 0, 0.0
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        if average:
            average.load_state_dict(state["average"])
        return int(state["iteration"]), float(state["seconds"])
    except (
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        raise UserError(
            f"{path} cannot be read as a checkpoint of this job ({error}). Delete it to train from the start."
        ) from error
