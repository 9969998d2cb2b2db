"""What one training step costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import cast

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.allocator import keep_freed_memory
from benchmarks.contract import Segmenter
from benchmarks.data import Dataset
from benchmarks.environment import peak_memory_bytes, reset_peak_memory
from benchmarks.errors import UserError
from benchmarks.jobs import Job
from benchmarks.methods import get_method
from benchmarks.training.batches import BatchSource
from benchmarks.training.loop import training_step
from benchmarks.training.optimisation import build_optimiser


@dataclass(frozen=True)
class StepCost:
    """Cost of a training step: forward, losses, backward, optimiser; loading the batch is not in it.

    Attributes:
        seconds: of each step after the first.
        peak_memory_bytes: resident on a CPU, allocated on an accelerator.
        shares: of the step's time, by the name that a method gives a section with
            `torch.profiler.record_function` ("matching").
    """

    parameters: int
    seconds: list[float]
    peak_memory_bytes: int
    shares: dict[str, float]

    @property
    def median_seconds(self) -> float:
        return median(self.seconds)


def measure_step(job: Job, dataset: Dataset, device: str, *, repeats: int = 3) -> StepCost:
    """Time `repeats` training steps of a job after one that is not counted, and profile one more.

    Raises:
        UserError: the method is not trained.
    """
    if not job.trained:
        raise UserError(f"{job.method} is not trained, so there is no step to time.")
    reset_peak_memory(device)
    model, step = timed_step(job, dataset, device)
    step(0)
    seconds = [step(i + 1) for i in range(repeats)]
    peak = peak_memory_bytes(device)
    if device.startswith("cuda"):
        # Else the first section that reads from the device would be charged for the whole forward pass.
        model.register_forward_hook(lambda *_: torch.cuda.synchronize())
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        profiled = step(repeats + 1)
    shares = {
        event.key: event.cpu_time_total / 1e6 / profiled
        for event in profiler.key_averages()
        if event.key in ("matching",)
    }
    return StepCost(sum(p.numel() for p in model.parameters()), seconds, peak, shares)


def timed_step(job: Job, dataset: Dataset, device: str) -> tuple[torch.nn.Module, Callable[[int], float]]:
    """A fresh model of a trained job, and a function that trains it for one iteration and tells its seconds."""
    keep_freed_memory()
    torch.manual_seed(job.seed)
    model = get_method(job.method).build(job.model)
    assert isinstance(model, torch.nn.Module)
    model.to(device).train()
    optimiser = build_optimiser(model, job.training)
    batches = BatchSource.of_job(job, dataset)

    def step(iteration: int) -> float:
        batch = batches.batch(iteration)
        begun = time.perf_counter()
        losses = training_step(cast(Segmenter, model), optimiser, batch, job.training, iteration, torch.device(device))
        sum(value.item() for value in losses.values())  # waits for the device
        return time.perf_counter() - begun

    return model, step
