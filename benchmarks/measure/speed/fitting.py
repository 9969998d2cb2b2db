"""A batch is made to fit the machine before it is tried: a process that is killed reports nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from benchmarks.data import Dataset
from benchmarks.machine.environment import peak_memory_bytes, reset_peak_memory
from benchmarks.measure.step import JobStep
from benchmarks.plan.job import Job

SAFE = 0.6
"""Share of the free memory that a step may be estimated to take: allocators add to what tensors hold."""


@dataclass(frozen=True)
class Fitted:
    """A job that fits.

    Attributes:
        job: the one that was asked for, or the same with smaller micro-batches.
        note: what was changed and why; empty where nothing was.
    """

    job: Job
    note: str = ""


def fit(job: Job, dataset: Dataset, device: str) -> Fitted:
    """Split the batch into micro-batches if all of it at once would take more memory than is free.

    The need is extrapolated from a step on one crop: all that it adds to the process is taken to grow with the batch.
    """
    batch, free = job.training.batch_size, free_memory_bytes(device)
    if batch == 1:
        return Fitted(job)
    needed = batch * bytes_of_one_crop(job, dataset, device)
    at_once = next(n for n in range(batch, 0, -1) if batch % n == 0 and (n == 1 or needed * n / batch <= SAFE * free))
    asked = job.training.micro_batch_size or batch
    if at_once >= asked:
        return Fitted(job)
    training = job.training.model_copy(update={"micro_batch_size": at_once})
    return Fitted(
        job.model_copy(update={"training": training}),
        f"{batch} crops, {at_once} at a time: {asked} at once need about {needed * asked / batch / 2**30:.0f} GiB, "
        f"{free / 2**30:.0f} are free",
    )


def bytes_of_one_crop(job: Job, dataset: Dataset, device: str) -> int:
    """Measure what a step on a single crop adds to the memory at its peak, at least 0.

    Of memory that is there already, a kernel may take pages back during the step.
    """
    training = job.training.model_copy(update={"batch_size": 1, "micro_batch_size": None})
    step = JobStep(job.model_copy(update={"training": training}), dataset, device)
    batch = step.next_batch()
    reset_peak_memory(device)
    before = peak_memory_bytes(device)
    step.take(batch)
    return max(0, peak_memory_bytes(device) - before)


def free_memory_bytes(device: str) -> int:
    """Return the memory that is free on an accelerator, or for processes on this machine."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(torch.device(device))[0]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
