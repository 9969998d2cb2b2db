"""How long a plan will take, from what was measured here before or from a few timed steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

import torch

from benchmarks.contract import Segmenter, Tunable
from benchmarks.data import Dataset
from benchmarks.machine.threads import computing_with
from benchmarks.measure.step import TimedStep, seconds_of
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import EXTERNAL, Job, parse_job
from benchmarks.plan.methods import get_method
from benchmarks.run.evidence import on_host, record_evidence, segment_evidence
from benchmarks.run.prediction import segment_sample
from benchmarks.store.job_folder import JobFolder, all_job_folders
from benchmarks.training.batches import BatchSource

SLOW_STEP = 5.0
"""Seconds of a step on one crop above which a whole batch is extrapolated instead of timed."""


@dataclass(frozen=True)
class Estimate:
    """How long the jobs of a plan will take.

    Attributes:
        pending: how many jobs have no result.
        seconds: what all of them take, one after the other.
        sources: where the figure comes from; none where nothing is to do.
    """

    pending: int
    seconds: float
    sources: tuple[str, ...]


def estimate(jobs: Sequence[PlannedJob], dataset: Dataset, out: Path, device: str) -> Estimate:
    """Estimate the seconds that the jobs without a result will take one after the other."""
    pending: dict[str, list[Job]] = {}
    for planned in jobs:
        if not JobFolder.of(planned.job, out).done:
            pending.setdefault(planned.job.method, []).append(planned.job)
    if not pending:
        return Estimate(0, 0.0, ())
    seconds = 0.0
    sources: dict[str, None] = {}
    for same_method in pending.values():
        each, source = _estimate_one(same_method[0], dataset, out, device)
        seconds += each * len(same_method)
        sources[source] = None
    return Estimate(sum(map(len, pending.values())), seconds, tuple(sources))


def _estimate_one(job: Job, dataset: Dataset, out: Path, device: str) -> tuple[float, str]:
    """Return the seconds of one job, and where the figure comes from."""
    if job.method == EXTERNAL:
        return 0.0, "nothing to compute"
    if known := _measured(job, out, device):
        return median(known), f"{len(known)} finished jobs of this scale"
    with computing_with(job.training.threads):
        return _timed(job, dataset, device), "a few timed steps"


def _measured(job: Job, out: Path, device: str) -> list[float]:
    """Return the seconds of finished jobs in `out` that do the same work on the same kind of device."""
    seconds = []
    for folder in all_job_folders(out):
        with suppress(ValueError):  # a damaged result, or one of another version, is no ground for a guess
            result = folder.read_result()
            if result is None or _work(parse_job(result.job)) != _work(job):
                continue
            cost = result.cost
            if result.environment.get("device") == device and cost.seconds_per_image is not None:
                choosing = result.thresholds.seconds if result.thresholds else 0.0
                seconds.append(cost.train_seconds + choosing + cost.seconds_per_image * result.dataset.images)
    return seconds


def _work(job: Job) -> tuple[object, ...]:
    """Return what decides how long a job takes."""
    testing = job.testing
    return job.method, job.data, job.training, testing.threshold_trials, testing.threshold_images, bool(job.searched)


def _timed(job: Job, dataset: Dataset, device: str) -> float:
    model = get_method(job.method).build(job.model)
    segmenter = cast(Segmenter, model)
    per_iteration = 0.0
    if isinstance(model, torch.nn.Module) and job.trained:
        per_iteration = _seconds_per_iteration(TimedStep(model, job.training, device), job, dataset)
        model.eval()
    ids = dataset.ids(job.split)
    testing = seconds_of(
        lambda: segment_sample(
            segmenter, dataset.load(ids[0]).image, job.tile, job.testing, device, job.training.precision
        )
    )
    choosing = _choosing(segmenter, job, dataset, device)
    return per_iteration * job.training.iterations + choosing + testing * len(ids)


def _seconds_per_iteration(step: TimedStep, job: Job, dataset: Dataset) -> float:
    """Time how long it takes to load a batch and train on it."""

    def timed(batch_size: int) -> float:
        batches = BatchSource.of_job(job, dataset, batch_size)
        return seconds_of(lambda: step.take(batches.batch(0)))

    timed(1)  # the first step allocates and initialises
    one = timed(1)
    size = job.training.batch_size
    return one * size if one > SLOW_STEP else min(timed(size) for _ in range(2))


def _choosing(segmenter: Segmenter, job: Job, dataset: Dataset, device: str) -> float:
    """Guess the seconds that the choice of thresholds takes: an untrained model finds other objects."""
    if not job.searched or not isinstance(segmenter, Tunable):
        return 0.0
    ids = dataset.ids(job.choosing_split)[: job.testing.threshold_images]
    begun = time.perf_counter()
    image = dataset.load(ids[0]).image
    evidence = record_evidence(segmenter, image, job.tile, job.testing, device, job.training.precision)
    recorded = time.perf_counter()
    segment_evidence(on_host(segmenter), evidence, segmenter.config.inference, job.tile, job.testing)
    each = time.perf_counter() - recorded
    return len(ids) * (recorded - begun + each * job.testing.threshold_trials)
