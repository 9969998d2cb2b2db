"""The best settings trained over several seeds and tested on the test split: what `--confirm` does, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.plan.expansion import PlannedJob
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result
from studies.documents import read_document, write_document
from studies.plan import TrainingPlan
from studies.records import TrialRecord

SCHEMA = 1


@dataclass(frozen=True)
class Confirmation:
    """What the best settings gave on the test split.

    Attributes:
        trial: number of the trial that chose them.
        metrics: of each seed, means over the images.
        looks: how often settings of this study were confirmed: each after the first is a choice that could have known
            the test.
    """

    trial: int
    params: dict[str, Any]
    split: str
    images: int
    metrics: dict[int, dict[str, float]]
    looks: int

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
    confirmation = Confirmation(
        best.number,
        best.params,
        dataset.split,
        dataset.images,
        {
            seed: {name: value for name, value in result.metrics.items() if value is not None}
            for seed, result in results.items()
        },
        looks,
    )
    keys = [planned.job.key for planned in jobs]
    write_document(path, SCHEMA, {**vars(confirmation), "jobs": keys})
    return confirmation


def read_confirmation(path: Path) -> Confirmation | None:
    """What confirmed.json holds; None where there is none.

    Raises:
        UserError: it is damaged.
    """
    return read_document(path, SCHEMA, _parse, "Delete it and say --confirm again.")


def _parse(content: dict[str, Any]) -> Confirmation:
    metrics = {int(seed): dict(values) for seed, values in content["metrics"].items()}
    return Confirmation(
        content["trial"], content["params"], content["split"], content["images"], metrics, content["looks"]
    )


def _result(planned: PlannedJob, out: Path) -> Result:
    result = JobFolder.of(planned.job, out).read_result()
    assert result is not None, "the job is finished"
    return result


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None}
