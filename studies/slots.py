"""The trials of a study's budget: a slot each, filled once by whoever comes first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from studies.specification import Choice, objective_title
from studies.storage import Planned, study_name

if TYPE_CHECKING:
    import optuna

SLOT, PLANNED, DOUBLE = "slot", "planned", "double"
PLANNING_SECONDS = 30.0
"""How long to wait for the process that made a study to plan it, before doing so in its place."""


def create_or_join(plan: Planned, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """The study of a plan, with as many slots for trials as its budget has.

    Whoever makes the study plans its trials; all others wait until that is done, so that no point of a grid is there
    twice, whatever the number of processes and machines. A larger budget than before adds slots.
    """
    import optuna

    name = study_name(plan)
    try:
        study = optuna.create_study(study_name=name, storage=storage, directions=plan.spec.directions)
        study.set_metric_names(list(map(objective_title, plan.spec.objectives)))
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage)
        _wait_until_planned(study)
    points = _points(plan)
    taken = {trial.user_attrs.get(SLOT) for trial in study.get_trials(deepcopy=False)}
    for slot, params in enumerate(points):
        if slot not in taken:
            study.enqueue_trial(params, user_attrs={SLOT: slot})
    study.set_user_attr(PLANNED, len(points))
    return study


def queue_failed_again(study: optuna.Study) -> int:
    """Add a trial for every slot that has only failed ones, with the last one's settings; returns how many.

    The failed ones stay on record.
    """
    from optuna.trial import TrialState

    slots: dict[Any, list[optuna.trial.FrozenTrial]] = {}
    trials = study.get_trials(deepcopy=False)
    left_out = doubles(trials)
    for trial in trials:
        if trial.number not in left_out:
            slots.setdefault(trial.user_attrs.get(SLOT), []).append(trial)
    failed = {slot: found[-1] for slot, found in slots.items() if all(t.state == TrialState.FAIL for t in found)}
    for slot, trial in failed.items():
        study.enqueue_trial(settings_of(trial), user_attrs={SLOT: slot})
    return len(failed)


def settings_of(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    """What was drawn, or before that what the slot fixes."""
    return dict(trial.params or trial.system_attrs.get("fixed_params", {}))


def _points(plan: Planned) -> list[dict[str, Choice]]:
    """What each slot fixes: a grid's point; else the defaults first, and nothing after them."""
    if plan.spec.sampler == "grid":
        return plan.grid()
    assert plan.spec.trials is not None
    return [plan.defaults or {}, *({} for _ in range(plan.spec.trials - 1))]


def doubles(trials: Sequence[optuna.trial.FrozenTrial]) -> set[int]:
    """Numbers of trials that wait, or waited, for a slot that an earlier trial has which has not failed.

    Two machines that fill slots at the same moment may both fill one. Numbers are given once, so that all agree on
    which trial is the later.
    """
    found: set[int] = set()
    taken: set[Any] = set()
    for trial in trials:
        slot, state = trial.user_attrs.get(SLOT), trial.state.name
        if trial.user_attrs.get(DOUBLE) or (state == "WAITING" and slot is not None and slot in taken):
            found.add(trial.number)
        elif state != "FAIL":
            taken.add(slot)
    return found


def _wait_until_planned(study: optuna.Study, now: Callable[[], float] = time.monotonic) -> None:
    until = now() + PLANNING_SECONDS
    while PLANNED not in study.user_attrs and now() < until:
        time.sleep(0.2)
