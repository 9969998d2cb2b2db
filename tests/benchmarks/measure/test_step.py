"""A timed step trains as a job does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.cli.options import JobOptions, one_job
from benchmarks.data import Dataset, open_dataset
from benchmarks.measure.estimate import estimate
from benchmarks.measure.step import JobStep, TimedStep
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import Job
from benchmarks.training.batches import BatchSource
from benchmarks.training.loop import training_step
from benchmarks.training.optimisation import build_optimiser

DATA = "synthetic-nuclei?size=96&train=2&val=1&test=1"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset(DATA)


@pytest.fixture
def job(dataset: Dataset) -> Job:
    options = JobOptions(set_=["training.batch_size=4", "training.micro_batch_size=2"])
    return one_job("discriminative", dataset, options, scale="smoke", device="cpu")


def test_a_timed_step_changes_weights_as_a_step_of_training(dataset: Dataset, job: Job) -> None:
    timed, trained = JobStep(job, dataset, "cpu"), JobStep(job, dataset, "cpu").model
    batch = timed.next_batch()
    before = [p.detach().clone() for p in timed.model.parameters()]
    torch.manual_seed(0)
    timed.take(batch)
    torch.manual_seed(0)
    training_step(trained, build_optimiser(trained, job.training), batch, job.training, 0, torch.device("cpu"))  # type: ignore[arg-type]
    pairs = list(zip(timed.model.parameters(), trained.parameters(), strict=True))
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
    assert not all(torch.equal(ours, old) for (ours, _), old in zip(pairs, before, strict=True))


def test_a_batch_may_be_smaller_than_a_micro_batch(dataset: Dataset, job: Job, tmp_path: Path) -> None:
    step = TimedStep(JobStep(job, dataset, "cpu").model, job.training, "cpu")
    step.take(BatchSource.of_job(job, dataset, 1).batch(0))
    guess = estimate([PlannedJob(1, "a row", job)], dataset, tmp_path, "cpu")
    assert guess.pending == 1 and guess.seconds > 0 and guess.sources == ("a few timed steps",)
