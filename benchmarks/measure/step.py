"""A training step as jobs take it, and the seconds that a step, or anything else, takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import cast

import torch
from torch import nn

from benchmarks.contract import Segmenter
from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.machine.allocator import keep_freed_memory
from benchmarks.plan.job import Job
from benchmarks.plan.methods import get_method
from benchmarks.plan.settings import TrainingSettings
from benchmarks.plan.starting import without_pretrained
from benchmarks.training.batches import Batch, BatchSource
from benchmarks.training.loop import training_step
from benchmarks.training.optimisation import build_optimiser

LEAST = 2
"""Timed runs, however long one takes: a single one says nothing about the spread."""


class TimedStep:
    """Training steps of a model with an optimiser of its own.

    Attributes:
        model: on the device, in training mode.
    """

    def __init__(self, model: nn.Module, settings: TrainingSettings, device: str):
        self.device = torch.device(device)
        self.model = model.to(self.device).train()
        self._settings = settings
        self._optimiser = build_optimiser(self.model, settings)
        self._taken = 0

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    def take(self, batch: Batch) -> None:
        """Train for one iteration, and wait for the device. A batch may be smaller than the settings' micro-batch."""
        settings = self._settings
        if (settings.micro_batch_size or 0) > len(batch.ids):
            settings = settings.model_copy(update={"micro_batch_size": None})
        model = cast(Segmenter, self.model)
        losses = training_step(model, self._optimiser, batch, settings, self._taken, self.device)
        sum(value.item() for value in losses.values())
        self._taken += 1


class JobStep(TimedStep):
    """The steps of a job, on its batches; the weights are random, which takes no less time.

    Attributes:
        batches: the batches that the job trains on.

    Raises:
        UserError: the method is not trained.
    """

    def __init__(self, job: Job, dataset: Dataset, device: str):
        if not job.trained:
            raise UserError(f"{job.method} is not trained, so there is no step to time.")
        keep_freed_memory()
        torch.manual_seed(job.seed)
        model = get_method(job.method).build(without_pretrained(job.model))
        assert isinstance(model, nn.Module)
        super().__init__(model, job.training, device)
        self.job = job
        self.batches = BatchSource.of_job(job, dataset)

    def next_batch(self) -> Batch:
        """Make the batch of the step to come."""
        return self.batches.batch(self._taken)


@dataclass(frozen=True)
class Series:
    """Seconds of repeated runs of one thing in one process, the first, untimed one not among them."""

    name: str
    seconds: list[float]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The fastest and the slowest run."""
        return min(self.seconds), max(self.seconds)


def repeat(name: str, function: Callable[[], object], *, most: int, budget: float) -> Series:
    """Run `function` once untimed, then up to `most` times, until `budget` seconds are spent; at least twice."""
    left = budget - seconds_of(function)
    seconds: list[float] = []
    while len(seconds) < max(most, LEAST) and (left > 0 or len(seconds) < LEAST):
        seconds.append(seconds_of(function))
        left -= seconds[-1]
    return Series(name, seconds)


def seconds_of(function: Callable[[], object]) -> float:
    """Call `function` and return how long it took."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun
