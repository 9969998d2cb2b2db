"""The best settings trained over several seeds and tested on the test split: what `--confirm` does, once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from benchmarks.plan.expansion import PlannedJob
from benchmarks.store.documents import Document, read_if_there, write_document
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result
from studies.plan import TrainingPlan
from studies.records import TrialRecord


class Confirmation(Document):
    """What the best settings gave on the test split: confirmed.json."""

    version: Literal[1] = Field(1, alias="schema")
    trial: int
    """Number of the trial that chose them."""
    params: dict[str, Any]
    split: str
    images: int
    metrics: dict[int, dict[str, float]]
    """Means over the images, of each seed."""
    looks: int
    """How often settings of this study were confirmed: each after the first is a choice that could have known the
    test."""
    jobs: list[str]

    def values(self, metric: str) -> list[float]:
        """The metric of each seed."""
        return [metrics[metric] for metrics in self.metrics.values()]


def confirmation_jobs(plan: TrainingPlan, best: TrialRecord, seeds: int) -> list[PlannedJob]:
    """The best trial's job with seeds 0, 1, …; the first is the trial's own, which is there."""
    label = f"best of {plan.spec.name}"
    return [PlannedJob(1, label, plan.job_of_seed(best.params, seed)) for seed in range(seeds)]


def record_confirmation(best: TrialRecord, jobs: Sequence[PlannedJob], out: Path, folder: Path) -> Confirmation:
    """Write confirmed.json from the results of finished jobs."""
    path = folder / "confirmed.json"
    before = read_confirmation(path)
    results = {planned.job.seed: _result(planned, out) for planned in jobs}
    dataset = next(iter(results.values())).dataset
    looks = before.looks + (before.params != best.params) if before else 1
    metrics = {
        seed: {name: value for name, value in result.metrics.items() if value is not None}
        for seed, result in results.items()
    }
    confirmation = Confirmation(
        trial=best.number,
        params=best.params,
        split=dataset.split,
        images=dataset.images,
        metrics=metrics,
        looks=looks,
        jobs=[planned.job.key for planned in jobs],
    )
    write_document(path, confirmation)
    return confirmation


def read_confirmation(path: Path) -> Confirmation | None:
    """What confirmed.json holds; None where there is none.

    Raises:
        UserError: it is damaged.
    """
    return read_if_there(path, Confirmation, "Delete it and say --confirm again.")


def _result(planned: PlannedJob, out: Path) -> Result:
    result = JobFolder.of(planned.job, out).read_result()
    assert result is not None, "the job is finished"
    return result
