"""A training step as jobs take it, for timing."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from benchmarks.contract import Segmenter
from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.machine.allocator import keep_freed_memory
from benchmarks.plan.job import Job
from benchmarks.plan.methods import get_method
from benchmarks.run.cost import without_pretrained
from benchmarks.training.batches import Batch, BatchSource
from benchmarks.training.loop import training_step
from benchmarks.training.optimisation import build_optimiser


class TimedStep:
    """A fresh model of a job with its optimiser; the weights are random, which takes no less time.

    Attributes:
        model: on the device, in training mode.
        batches: the batches that the job trains on.
    """

    def __init__(self, job: Job, dataset: Dataset, device: str):
        """Raises: UserError: the method is not trained."""
        if not job.trained:
            raise UserError(f"{job.method} is not trained, so there is no step to time.")
        keep_freed_memory()
        torch.manual_seed(job.seed)
        model = get_method(job.method).build(without_pretrained(job.model))
        assert isinstance(model, nn.Module)
        self.job, self.device = job, torch.device(device)
        self.model = model.to(self.device).train()
        self.batches = BatchSource.of_job(job, dataset)
        self._optimiser = build_optimiser(self.model, job.training)
        self._taken = 0

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    def next_batch(self) -> Batch:
        """The batch of the step to come."""
        return self.batches.batch(self._taken)

    def take(self, batch: Batch) -> None:
        """Train for one iteration, and wait for the device."""
        model = cast(Segmenter, self.model)
        losses = training_step(model, self._optimiser, batch, self.job.training, self._taken, self.device)
        sum(value.item() for value in losses.values())
        self._taken += 1
