"""Trials that are trained: each is an ordinary job, which the scheduler runs as it runs those of tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.execution import Outcome
from benchmarks.run.executors.base import Executor, State
from benchmarks.run.scheduler import DIED, Scheduler
from benchmarks.store.job_folder import JobFolder
from studies.plan import TrainingPlan
from studies.retrying import retried
from studies.specification import Choice
from studies.trial import CACHED, COSTS_NOTED, KEY, TrialEnd, ValidationReporter, judged

if TYPE_CHECKING:
    import optuna


class JobTrials:
    """Runs trials as jobs, and stops those that the pruner gives up; see `TrialRunner`.

    Args:
        executor: where the jobs run.
        slots: jobs at a time.
    """

    def __init__(self, plan: TrainingPlan, out: Path, executor: Executor, slots: int):
        self.plan, self.out, self.slots = plan, out, slots
        self._scheduler = Scheduler(out, executor, self)
        self._trials: dict[str, list[optuna.Trial]] = {}
        self._reporters: dict[str, ValidationReporter] = {}
        self._pruned: set[str] = set()
        self._ends: list[TrialEnd] = []
        self._tick: Callable[[], None] = lambda: None

    def room(self) -> int:
        """As `TrialRunner`; trials of one job share its place."""
        return self.slots - len(self._trials)

    def start(self, trial: optuna.Trial, params: Mapping[str, Choice]) -> None:
        """As `TrialRunner`."""
        job = self.plan.job(params)
        retried(lambda: trial.set_user_attr(KEY, job.key))
        if job.key in self._trials:  # a point that was drawn twice
            self._trials[job.key].append(trial)
            return
        self._trials[job.key] = [trial]
        if self.plan.validate_every is not None:
            curve = JobFolder.of(job, self.out).validation
            self._reporters[job.key] = ValidationReporter(
                trial, curve, every=self.plan.validate_every, last=self.plan.validations
            )
        self._scheduler.add(PlannedJob(1, self.plan.label(job, params), job, validated=True))

    def step(self, tick: Callable[[], None]) -> list[TrialEnd]:
        """As `TrialRunner`."""
        self._tick = tick
        self._scheduler.step()
        ends, self._ends = self._ends, []
        return ends

    def stop(self) -> None:
        """As `TrialRunner`."""
        self._scheduler.stop()

    def look(self, states: Mapping[str, State]) -> None:
        """Called by the scheduler: stop what the pruner gives up."""
        for key, reporter in self._reporters.items():
            if states.get(key) == "running" and key not in self._pruned and reporter():
                self._pruned.add(key)
                self._scheduler.cancel(key)
        self._tick()

    def ended(self, planned: PlannedJob, outcome: Outcome) -> None:
        """Called by the scheduler once for every job."""
        key = planned.job.key
        pruned = key in self._pruned
        self._pruned.discard(key)
        reporter = self._reporters.pop(key, None)
        if reporter and outcome.status in ("done", "cached"):
            reporter(prune=False)  # a job that was done before is what others are compared with
        self._ends += [self._end(trial, planned, outcome, pruned) for trial in self._trials.pop(key)]

    def _end(self, trial: optuna.Trial, planned: PlannedJob, outcome: Outcome, pruned: bool) -> TrialEnd:
        if outcome.status == "stopped":
            return TrialEnd(trial, "pruned" if pruned else "interrupted")
        if outcome.status == "failed":
            died = (outcome.error or "").startswith(f"{DIED}: ")
            return TrialEnd(trial, "died" if died else "failed", error=outcome.error)
        try:
            values, costs = judged(self.plan.spec.objectives, JobFolder.of(planned.job, self.out))
        except Exception as error:  # a damaged file fails its trial, not the study
            return TrialEnd(trial, "failed", error=f"{type(error).__name__}: {error}")
        retried(lambda: trial.set_user_attr(CACHED, outcome.status == "cached"))
        retried(lambda: trial.set_user_attr(COSTS_NOTED, costs))
        return TrialEnd(trial, "complete", values)
