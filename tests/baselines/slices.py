"""A training step over a whole batch or over the slice of one of several processes; importable by fresh ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from tiny import RECIPES
from torch import Tensor

from benchmarks.plan.methods import METHODS
from benchmarks.plan.settings import TrainingSettings
from benchmarks.training.batches import Batch, slots_of_process
from benchmarks.training.loop import training_step
from benchmarks.training.synchronised import synchronise
from pctrans.distributed import rank, world_size

SIZE = 64


@dataclass(frozen=True)
class Case:
    """Attributes:
    squares: how many each image of the batch has.
    model: changes of the method's tiny configuration.
    """

    method: str
    squares: tuple[int, ...]
    model: dict[str, Any]
    micro_batch_size: int | None = None
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True)
class Step:
    """What a step gives: losses, gradients, and the weights and buffers after it, as NumPy arrays by name."""

    losses: dict[str, float]
    gradients: dict[str, np.ndarray]
    state: dict[str, np.ndarray]


def take_step(case: Case) -> Step:
    """One step of plain gradient descent; all processes of a group call this together."""
    torch.manual_seed(rank())  # only process 0's weights count
    model: Any = METHODS[case.method].build(RECIPES[case.method].config | case.model).train()
    settings = TrainingSettings(
        batch_size=len(case.squares),
        micro_batch_size=case.micro_batch_size,
        crop=SIZE,
        gradient_norm=None,
        precision=case.precision,
    )
    if world_size() > 1:
        synchronise(model)
    labels = torch.stack([_label_map(count) for count in case.squares])
    images = _pictures(labels)
    slots = slots_of_process(settings, rank(), world_size())
    batch = Batch(tuple(map(str, slots)), images[slots], labels[slots])
    torch.manual_seed(1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = training_step(model, optimiser, batch, settings, 0, torch.device("cpu"))
    return Step(
        {name: value.item() for name, value in losses.items()},
        {name: p.grad.numpy() for name, p in model.named_parameters() if p.grad is not None},
        {name: value.numpy() for name, value in model.state_dict().items()},
    )


def take_steps(device: str, tell: object, cases: list[Case]) -> list[Step]:
    """The work of one of several processes."""
    return [take_step(case) for case in cases]


def _label_map(count: int) -> Tensor:
    """Squares of 6 pixels in rows of eight, at most 64."""
    labels = torch.zeros(SIZE, SIZE, dtype=torch.long)
    for index in range(count):
        top, left = divmod(index * 11 % 64, 8)
        labels[8 * top : 8 * top + 6, 8 * left : 8 * left + 6] = index + 1
    return labels


def _pictures(labels: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    brightness = 0.2 + 0.6 * torch.rand(len(labels), 1, 1, 1, generator=generator)  # so that slices differ in moments
    images = brightness * (0.2 + (labels > 0).float()[:, None].expand(-1, 3, -1, -1))
    return (images + 0.05 * torch.randn(images.shape, generator=generator)).clamp(0, 1)
