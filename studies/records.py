"""Trials as plain values: for the terminal, the pictures, the page and the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from studies.leases import DEATHS, ERROR, HOLDER
from studies.slots import SLOT, doubles, settings_of
from studies.specification import Choice, StudySpec, maximised
from studies.trial import CACHED, COSTS_NOTED, KEY

if TYPE_CHECKING:
    import optuna

State = Literal["waiting", "running", "complete", "pruned", "failed"]
STATES: dict[str, State] = {
    "WAITING": "waiting",
    "RUNNING": "running",
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
}


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes:
        number: from 0.
        params: what was drawn so far, by dotted path.
        values: of the objectives; empty unless complete.
        seconds: from claim to end.
        key: of its job; None before it has one, and of a trial without a job.
        cached: whether the job had its result before.
        costs: of its job, by name.
        intermediate: validation PQ that the pruner saw, by validation.
        error: of a failed one.
        deaths: of processes at it.
        slot: its place in the budget.
        holder: the command that has or had it.
    """

    number: int
    state: State
    params: dict[str, Choice]
    values: tuple[float, ...]
    started: datetime | None
    seconds: float | None
    key: str | None
    cached: bool
    costs: dict[str, float | None]
    intermediate: dict[int, float]
    error: str | None
    deaths: int
    slot: int | None
    holder: str | None

    @property
    def ended(self) -> bool:
        return self.state in ("complete", "pruned", "failed")


def read_trials(study: optuna.Study) -> list[TrialRecord]:
    """Every trial of a study, as it is now, less those that were queued twice."""
    trials = study.get_trials(deepcopy=False)
    left_out = doubles(trials)
    return [_record(trial) for trial in trials if trial.number not in left_out]


def unresolved_failures(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Failed trials in whose place in the budget no other trial has come to an end."""
    resolved = {trial.slot for trial in trials if trial.state in ("complete", "pruned")}
    return [trial for trial in trials if trial.state == "failed" and trial.slot not in resolved]


def best_trial(spec: StudySpec, trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The complete trial with the best first objective; the earlier of equals. None where none is complete."""
    complete = [trial for trial in trials if trial.state == "complete"]
    sign = 1 if maximised(spec.objectives[0]) else -1
    return max(complete, key=lambda trial: (sign * trial.values[0], -trial.number), default=None)


def pareto_front(spec: StudySpec, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Complete trials that no other is at least as good as in everything and better in something, best first."""
    signs = [1 if maximised(name) else -1 for name in spec.objectives]
    complete = [trial for trial in trials if trial.state == "complete"]
    merits = [tuple(sign * value for sign, value in zip(signs, trial.values, strict=True)) for trial in complete]
    front = [
        (merit, trial)
        for merit, trial in zip(merits, complete, strict=True)
        if not any(other != merit and all(a >= b for a, b in zip(other, merit, strict=True)) for other in merits)
    ]
    return [trial for _, trial in sorted(front, key=lambda pair: pair[0], reverse=True)]


def _record(trial: optuna.trial.FrozenTrial) -> TrialRecord:
    notes: dict[str, Any] = trial.user_attrs
    state = STATES[trial.state.name]
    return TrialRecord(
        number=trial.number,
        state=state,
        params=settings_of(trial),
        values=tuple(trial.values or ()) if state == "complete" else (),
        started=trial.datetime_start,
        seconds=trial.duration.total_seconds() if trial.duration else None,
        key=notes.get(KEY),
        cached=bool(notes.get(CACHED)),
        costs=notes.get(COSTS_NOTED) or {},
        intermediate=dict(trial.intermediate_values),
        error=notes.get(ERROR) if state == "failed" else None,
        deaths=int(notes.get(DEATHS, 0)),
        slot=notes.get(SLOT),
        holder=notes.get(HOLDER),
    )
