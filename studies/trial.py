"""One trial of a study that trains: its job, then the model's figure on the validation split."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data import Dataset
from benchmarks.plan.job import Job
from benchmarks.run.execution import run_job
from benchmarks.run.running import POLL_SECONDS
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.curves import read_curve
from benchmarks.training.watcher import StopRequested, Watcher
from studies.patience import patiently
from studies.scoring import job_cost, validation_scores

if TYPE_CHECKING:
    import optuna

KEY, CACHED, COSTS_NOTED = "key", "cached", "costs"
Stopping = Callable[[], bool]
"""Whether the worker was asked to stop."""


def check(stopping: Stopping) -> None:
    """Raises StopRequested where the worker was asked to stop."""
    if stopping():
        raise StopRequested


class TrialFailedError(RuntimeError):
    """A trial's job failed; the message is the job's."""


class PrunedTraining(BaseException):
    """The pruner stops this training. No `Exception`: to the job it is an interrupt, which leaves its checkpoint."""


@dataclass(frozen=True)
class Validations:
    """Those of a training that a pruner sees.

    Attributes:
        every: iterations between two.
        last: number of the last one.
    """

    every: int
    last: int


@dataclass(frozen=True)
class TrainedTrial:
    """What a trial trains and what it is judged by.

    Attributes:
        label: what to call the job where people browse.
        objectives: names of figures and costs.
        pruned_at: None where the trial is trained to its end.
    """

    job: Job
    label: str
    dataset: Dataset
    objectives: Sequence[str]
    pruned_at: Validations | None


def run_trial(trial: optuna.Trial, trained: TrainedTrial, out: Path, device: str, stopping: Stopping) -> list[float]:
    """Bring the trial's job to its result, or take the one it has; returns the objectives' values.

    Raises:
        StopRequested: the worker was asked to stop; the job can be continued.
        TrialFailedError: the job failed.
        PrunedTraining: the pruner stopped it; the job can be continued.
    """
    job, dataset = trained.job, trained.dataset
    patiently(partial(trial.set_user_attr, KEY, job.key))
    curve = JobFolder.of(job, out).validation
    report = _Reporter(trial, trained.pruned_at, curve) if trained.pruned_at else None
    watcher = _watcher(report, stopping)
    while (outcome := run_job(job, dataset, out, device, watcher, label=trained.label)).status == "busy":
        check(stopping)  # another process, of a table perhaps, is at the same job
        time.sleep(POLL_SECONDS)
    if outcome.status == "failed":
        raise TrialFailedError(outcome.error)
    if report:
        report(prune=False)  # a job that was done before is what others are compared with
    patiently(partial(trial.set_user_attr, CACHED, outcome.status == "cached"))
    scores = validation_scores(job, dataset, out, device, lambda *_: check(stopping))
    costs = job_cost(job, out)
    patiently(partial(trial.set_user_attr, COSTS_NOTED, costs))
    return [_value(name, scores, costs) for name in trained.objectives]


def printed(value: object) -> str:
    """A setting's value for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _value(objective: str, scores: Mapping[str, float], costs: Mapping[str, float | None]) -> float:
    value = scores[objective] if objective in scores else costs[objective]
    if value is None:
        raise TrialFailedError(f"the job has no {objective}")
    return float(value)


def _watcher(report: _Reporter | None, stopping: Stopping) -> Watcher:
    def training(*_: object) -> None:
        if report:
            report(prune=True)

    def after_image(*_: object) -> None:
        check(stopping)

    return Watcher(training, prediction=after_image, stopping=stopping, choosing=after_image)


class _Reporter:
    """Tells the pruner of every validation, once, as the job's file has it, so that a continued job tells all."""

    def __init__(self, trial: optuna.Trial, validations: Validations, curve: Path):
        self.trial, self.validations, self.curve = trial, validations, curve
        self.told: set[int] = set()
        self.size = -1

    def __call__(self, *, prune: bool) -> None:
        """Report what is new.

        Raises:
            PrunedTraining: the trial is not worth going on, and `prune` allows to say so.
        """
        size = self.curve.stat().st_size if self.curve.exists() else 0
        if size == self.size:
            return
        self.size = size
        for row in read_curve(self.curve):
            step, rest = divmod(int(row["iteration"]), self.validations.every)
            if rest == 0 and step not in self.told:
                self.told.add(step)
                patiently(partial(self.trial.report, row["pq"], step))
                # At the last validation there is nothing to save any more, and a figure to lose.
                if prune and step < self.validations.last and patiently(self.trial.should_prune):
                    raise PrunedTraining
