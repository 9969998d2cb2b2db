"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.profiler import record_function

from benchmarks.contract import Segmenter
from benchmarks.machine.precision import computing_in
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.averaging import MovingAverage
from benchmarks.training.batches import Batch, BatchSource, derived_seed
from benchmarks.training.capacity import CapacityCheck
from benchmarks.training.checkpoint import load_checkpoint, save_checkpoint
from benchmarks.training.curves import Curve
from benchmarks.training.gradients import average_over_processes
from benchmarks.training.nonfinite import not_finite
from benchmarks.training.optimisation import build_optimiser, learning_rate, set_learning_rate
from benchmarks.training.synchronised import synchronise
from benchmarks.training.watcher import StopRequested, TrainingProgress
from pctrans.distributed import rank, world_size

if TYPE_CHECKING:
    from benchmarks.plan.settings import TrainingSettings

Validate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class TrainingReport:
    """How training went.

    Attributes:
        iterations: done in all, over all starts.
        seconds: spent in them, over all starts, validation not counted.
    """

    iterations: int
    seconds: float


def train(
    model: nn.Module,
    batches: BatchSource,
    settings: TrainingSettings,
    *,
    seed: int,
    folder: JobFolder,
    device: torch.device,
    validate: Validate | None = None,
    progress: TrainingProgress | None = None,
    stopping: Callable[[], bool] | None = None,
) -> TrainingReport:
    """Train in place, from the folder's checkpoint if it has one; leaves a checkpoint of the end.

    On CPU, a run that was killed and continued ends in the same weights as an undisturbed one.

    Every process of a process group calls this with its part of the batches. Process 0 alone writes, validates and
    reports; the others read the checkpoint, and wait for it where they need it for the next step.

    Args:
        model: a `Segmenter`, on `device`.
        folder: gets checkpoint, losses and validation.
        validate: called every `settings.validate_every` iterations with the model in evaluation mode.
        stopping: asked after every iteration whether to end before the last.

    Raises:
        StopRequested: `stopping` said so; there is a checkpoint of this iteration.
        NonFiniteLossError: names the iteration, the terms and the images.
    """
    if world_size() > 1:
        synchronise(model)
    optimiser = build_optimiser(model, settings)
    average = MovingAverage(model, settings.weight_average) if settings.weight_average else None
    checkpoint = folder.checkpoint
    start, seconds = load_checkpoint(checkpoint, model, optimiser, average, device)
    curves = _Curves(folder, start) if rank() == 0 else None
    check_capacity = CapacityCheck(model)
    model.train()
    # Loading ahead in threads helps an accelerator; on a CPU it would only take cores from the step.
    workers = 4 if device.type != "cpu" else 0
    begun = time.perf_counter()
    for iteration, batch in enumerate(batches.from_iteration(start, settings.iterations, workers), start):
        check_capacity(batch)
        rate = learning_rate(iteration, settings)
        set_learning_rate(optimiser, rate)
        torch.manual_seed(derived_seed(seed, "step", iteration))
        losses = training_step(cast(Segmenter, model), optimiser, batch, settings, iteration, device)
        if average:
            average.update(model)
        done = iteration + 1
        last = done == settings.iterations
        if curves and (last or done % settings.log_every == 0):
            values = {name: value.item() for name, value in losses.items()}
            elapsed = seconds + time.perf_counter() - begun
            total = {"loss": sum(values.values())}
            curves.losses.append({"iteration": done, **total, **values, "learning_rate": rate, "seconds": elapsed})
            if progress:
                progress(done, total | values, rate)
        if curves and validate and (last or done % settings.validate_every == 0):
            paused = time.perf_counter()
            model.eval()
            row = {"iteration": done, "epoch": batches.epoch(done), "seconds": seconds + paused - begun}
            with average.applied(model) if average else nullcontext():
                curves.validation.append(row | validate(model))
            model.train()
            begun += time.perf_counter() - paused
        stopped = not last and stopping is not None and stopping()
        # After the validation: a run killed during it resumes before it, and no row is missing.
        if curves and (last or stopped or done % settings.checkpoint_every == 0):
            curves.sync()
            save_checkpoint(checkpoint, model, optimiser, average, done, seconds + time.perf_counter() - begun)
        if stopped:
            raise StopRequested(f"at iteration {done}")
    if average:
        model.load_state_dict(average.state)
    model.eval()
    return TrainingReport(settings.iterations, seconds + time.perf_counter() - begun)


class _Curves:
    """What is written while training goes on."""

    def __init__(self, folder: JobFolder, resumed_at: int):
        self.losses = Curve(folder.losses, resumed_at)
        self.validation = Curve(folder.validation, resumed_at)

    def sync(self) -> None:
        """Before a checkpoint, with which training goes on behind these rows."""
        self.losses.sync()
        self.validation.sync()


def training_step(
    model: Segmenter,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    settings: TrainingSettings,
    iteration: int,
    device: torch.device,
) -> dict[str, Tensor]:
    """One optimiser step over a batch, in micro-batches; returns the mean of each loss term, on `device`.

    The host waits for the device once, before the step is taken. Several processes take the step together, each with
    its slice of every micro-batch.
    """
    size = settings.micro_batch_size // world_size() if settings.micro_batch_size else len(batch.ids)
    parts = len(batch.ids) // size
    optimiser.zero_grad(set_to_none=True)
    of_parts: list[dict[str, Tensor]] = []
    for first in range(0, len(batch.ids), size):
        images = batch.images[first : first + size].to(device, non_blocking=True)
        labels = batch.labels[first : first + size].to(device, non_blocking=True)
        with computing_in(settings.precision, device):
            losses = model.losses(images, labels)
        loss = torch.stack([value.float() for value in losses.values()]).sum() / parts
        with record_function("backward"):
            loss.backward()
        of_parts.append({name: value.detach().float() for name, value in losses.items()})
    means = {name: torch.stack([part[name] for part in of_parts]).mean() for name in of_parts[0]}
    with record_function("optimiser"):
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        means = average_over_processes(parameters, means)
        norm = nn.utils.clip_grad_norm_(parameters, settings.gradient_norm or math.inf)
        if not torch.stack((norm, *means.values())).isfinite().all().item():
            raise not_finite(of_parts, batch, iteration)
        optimiser.step()
    return means
