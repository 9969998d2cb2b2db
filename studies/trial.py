"""One trial of a study that trains: its job, then the model's figure on the validation split."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.execution import run_job
from benchmarks.jobs import Job
from benchmarks.running import POLL_SECONDS
from benchmarks.training.curves import read_curve
from benchmarks.watcher import StopRequested, Watcher
from studies.patience import patiently
from studies.scoring import job_cost, validation_scores
from studies.specs import Choice, short_name

if TYPE_CHECKING:
    import optuna

    from studies.plan import TrainingPlan

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


def run_trial(
    trial: optuna.Trial,
    params: Mapping[str, Choice],
    plan: TrainingPlan,
    out: Path,
    device: str,
    stopping: Stopping,
) -> list[float]:
    """Bring the trial's job to its result, or take the one it has; returns the objectives' values.

    Raises:
        StopRequested: the worker was asked to stop; the job can be continued.
        TrialFailedError: the job failed.
        PrunedTraining: the pruner stopped it; the job can be continued.
    """
    job = plan.job(params)
    patiently(partial(trial.set_user_attr, KEY, job.key))
    curve = job.folder(out) / "validation.csv"
    report = _Reporter(trial, plan.validate_every, plan.validations, curve) if plan.spec.pruner else None
    watcher = _watcher(report, stopping)
    label = _label(plan, job, params)
    while (outcome := run_job(job, plan.dataset, out, device, watcher, label=label)).status == "busy":
        check(stopping)  # another process, of a table perhaps, is at the same job
        time.sleep(POLL_SECONDS)
    if outcome.status == "failed":
        raise TrialFailedError(outcome.error)
    if report:
        report(prune=False)  # a job that was done before is what others are compared with
    patiently(partial(trial.set_user_attr, CACHED, outcome.status == "cached"))
    scores = validation_scores(job, plan.dataset, out, device, lambda *_: check(stopping))
    costs = job_cost(job, out)
    patiently(partial(trial.set_user_attr, COSTS_NOTED, costs))
    return [_value(name, scores, costs) for name in plan.spec.objectives]


def _label(plan: TrainingPlan, job: Job, params: Mapping[str, Choice]) -> str:
    """As the table's row where it is one."""
    if plan.table is not None:
        return next(planned.label for planned in plan.table.jobs if planned.job.key == job.key)
    settings = ", ".join(f"{short_name(path)} {printed(value)}" for path, value in params.items())
    return f"{plan.spec.name}: {settings}"


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
    """Tells the pruner of every validation, once, as the job's file has it, so that a continued job tells all.

    Args:
        every: iterations between two validations.
        last: number of the last one.
    """

    def __init__(self, trial: optuna.Trial, every: int | None, last: int, curve: Path):
        self.trial, self.every, self.last, self.curve = trial, every or 1, last, curve
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
            step, rest = divmod(int(row["iteration"]), self.every)
            if rest == 0 and step not in self.told:
                self.told.add(step)
                patiently(partial(self.trial.report, row["pq"], step))
                # At the last validation there is nothing to save any more, and a figure to lose.
                if prune and step < self.last and patiently(self.trial.should_prune):
                    raise PrunedTraining
