"""How a trial ends, and what of its job it is judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from benchmarks.run.validation import read_validation_scores
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.curves import read_curve
from studies.retrying import retried
from studies.specification import COSTS, Choice

if TYPE_CHECKING:
    import optuna

KEY, CACHED, COSTS_NOTED = "key", "cached", "costs"
"""Names of a trial's attributes."""


@dataclass(frozen=True)
class TrialEnd:
    """How a trial ended.

    Attributes:
        status: "died": the process did, and the trial may be tried once more; "interrupted": it can go on.
        values: of the objectives, where it is complete.
        error: why it failed or died.
    """

    trial: optuna.Trial
    status: Literal["complete", "pruned", "failed", "died", "interrupted"]
    values: tuple[float, ...] = ()
    error: str | None = None


class TrialRunner(Protocol):
    """Something that runs trials, some at a time."""

    def room(self) -> int:
        """How many more it takes now."""

    def start(self, trial: optuna.Trial, params: Mapping[str, Choice]) -> None:
        """Begin a trial at a point."""

    def step(self, tick: Callable[[], None]) -> list[TrialEnd]:
        """Bring things forward; returns the trials that have ended since.

        Args:
            tick: is called now and then while this does not return.
        """

    def stop(self) -> None:
        """End what runs; what can go on, can go on."""


class NoValueError(ValueError):
    """A finished job does not say what a trial is judged by."""


def judged(objectives: Sequence[str], folder: JobFolder) -> tuple[tuple[float, ...], dict[str, float | None]]:
    """Values of the objectives, and the costs, of a finished job; its test metrics are not looked at.

    Raises:
        NoValueError: the job does not have one of them.
        UserError: a file is damaged.
    """
    scores, result = read_validation_scores(folder), folder.read_result()
    if scores is None or result is None:
        raise NoValueError("the job has no validation scores")
    costs: dict[str, float | None] = {name: getattr(result.cost, name) for name in COSTS}
    values = [scores[name] if name in scores else costs[name] for name in objectives]
    if missing := [name for name, value in zip(objectives, values, strict=True) if value is None]:
        raise NoValueError(f"the job has no {missing[0]}")
    return tuple(float(value) for value in values if value is not None), costs


class ValidationReporter:
    """Tells the pruner of every validation of a job, once, as its file has it, so that a continued job tells all.

    Args:
        every: iterations between two validations that the pruner sees.
        last: number of the last one.
    """

    def __init__(self, trial: optuna.Trial, curve: Path, *, every: int, last: int):
        self.trial, self.curve, self.every, self.last = trial, curve, every, last
        self._told: set[int] = set()
        self._size = -1

    def __call__(self, *, prune: bool = True) -> bool:
        """Report what is new; returns whether the trial is not worth going on, where that is asked."""
        size = self.curve.stat().st_size if self.curve.exists() else 0
        if size == self._size:
            return False
        self._size = size
        for row in read_curve(self.curve):
            step, rest = divmod(int(row["iteration"]), self.every)
            if rest == 0 and step not in self._told:
                self._told.add(step)
                self._report(row["pq"], step)
                # At the last validation there is nothing to save any more, and a figure to lose.
                if prune and step < self.last and retried(self.trial.should_prune):
                    return True
        return False

    def _report(self, pq: float, step: int) -> None:
        retried(lambda: self.trial.report(pq, step))


def printed(value: object) -> str:
    """A setting's value for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
