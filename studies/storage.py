"""The Optuna study behind a study: one storage, a slot for each trial of the budget."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.errors import UserError
from benchmarks.tracking.store import shown
from studies.specs import Choice, StudySpec

if TYPE_CHECKING:
    import optuna

SLOT, PLANNED = "slot", "planned"
PLANNING_SECONDS = 30.0
"""How long to wait for the process that made a study to plan it, before doing so in its place."""


class Planned(Protocol):
    """What a study needs to be stored: `TrainingPlan` and `InferencePlan`."""

    @property
    def spec(self) -> StudySpec: ...
    @property
    def digest(self) -> str: ...
    @property
    def defaults(self) -> dict[str, Choice] | None: ...
    def grid(self) -> list[dict[str, Choice]]: ...


def journal(folder: Path) -> Path:
    """Where a study's storage is unless the user names another."""
    return folder / "journal.log"


def open_storage(url: str | None, folder: Path) -> optuna.storages.BaseStorage:
    """The journal in `folder`, or any storage that Optuna knows by URL.

    Raises:
        UserError: no storage of that kind, or it does not answer.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        return optuna.storages.JournalStorage(JournalFileBackend(str(journal(folder))))
    if "://" not in url:
        raise UserError(
            f"--storage {url}: expected a URL, such as sqlite:///PATH.db or postgresql+pg8000://USER@HOST/DB."
        )
    try:
        return optuna.storages.get_storage(url)
    except ImportError as error:
        raise UserError(
            f"--storage {shown(url)} needs a driver that is not installed ({error.__cause__ or error}). For "
            "PostgreSQL: pip install 'pctrans-bench[postgres]', and a URL that starts with postgresql+pg8000://."
        ) from error
    except Exception as error:  # a database may refuse in any way
        reason = str(error.__cause__ or error).splitlines()[0].replace(url, shown(url))
        raise UserError(f"--storage {shown(url)} cannot be used: {type(error).__name__}: {reason}") from error


def study_name(plan: Planned) -> str:
    """The name in the storage, which many studies may share."""
    return f"{plan.spec.name}-{plan.digest}"


def create_or_join(plan: Planned, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """The study of a plan, with as many slots for trials as its budget has.

    Whoever makes the study plans its trials; all others wait until that is done, so that no point of a grid is there
    twice, whatever the number of processes and machines. A larger budget than before adds slots.
    """
    import optuna

    name = study_name(plan)
    try:
        study = optuna.create_study(study_name=name, storage=storage, directions=plan.spec.directions)
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
    for trial in study.get_trials(deepcopy=False):
        slots.setdefault(trial.user_attrs.get(SLOT), []).append(trial)
    failed = {slot: found[-1] for slot, found in slots.items() if all(t.state == TrialState.FAIL for t in found)}
    for slot, trial in failed.items():
        study.enqueue_trial(trial.params or trial.system_attrs.get("fixed_params", {}), user_attrs={SLOT: slot})
    return len(failed)


def load(plan: Planned, storage: optuna.storages.BaseStorage) -> optuna.Study:
    """The study of a plan, made by `create_or_join` before."""
    import optuna

    return optuna.load_study(study_name=study_name(plan), storage=storage)


def sampler_for(spec: StudySpec, number: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial, seeded by study and trial.

    So a study's draws do not depend on which worker makes them, and one that was interrupted goes on as it would have.
    """
    import optuna

    seed = int.from_bytes(hashlib.sha256(f"{spec.name} {spec.seed} {number}".encode()).digest()[:4], "little")
    if spec.sampler == "grid":  # every point is in its slot: there is nothing to draw
        return optuna.samplers.RandomSampler(seed=seed)
    # Running trials count as bad ones, so that two workers do not try the same.
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(10, (spec.trials or 10) // 2), constant_liar=True)


def pruner_for(spec: StudySpec, validations: int) -> optuna.pruners.BasePruner:
    """The study's pruner; its resource is the number of validations, of which a whole trial has `validations`."""
    import optuna

    if spec.pruner is None:
        return optuna.pruners.NopPruner()
    reduction = spec.pruner.reduction
    if spec.pruner.kind == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=reduction)
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=validations, reduction_factor=reduction)


def suggest(trial: optuna.Trial, spec: StudySpec) -> dict[str, Choice]:
    """The point of a trial: its slot's, or the sampler's."""
    params: dict[str, Any] = {}
    for path, search in spec.search.items():
        if search.values is not None:
            params[path] = trial.suggest_categorical(path, search.values)
        elif search.integer:
            params[path] = trial.suggest_int(path, int(search.low or 0), int(search.high or 0), log=search.log)
        else:
            params[path] = trial.suggest_float(path, search.low or 0.0, search.high or 0.0, log=search.log)
    return params


def _points(plan: Planned) -> list[dict[str, Choice]]:
    """What each slot fixes: a grid's point; else the defaults first, and nothing after them."""
    if plan.spec.sampler == "grid":
        return plan.grid()
    assert plan.spec.trials is not None
    return [plan.defaults or {}, *({} for _ in range(plan.spec.trials - 1))]


def _wait_until_planned(study: optuna.Study, now: Callable[[], float] = time.monotonic) -> None:
    until = now() + PLANNING_SECONDS
    while PLANNED not in study.user_attrs and now() < until:
        time.sleep(0.2)


def set_state(study: optuna.Study, number: int, state: optuna.trial.TrialState) -> bool:
    """Change the state of a trial that has not ended; False where another process made it run first.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: it has ended.
    """
    return study._storage.set_trial_state_values(_id(study, number), state)


def set_attribute(study: optuna.Study, number: int, name: str, value: Any) -> None:
    """Note something beside a trial that has not ended."""
    study._storage.set_trial_user_attr(_id(study, number), name, value)


def running_trial(study: optuna.Study, number: int) -> optuna.Trial:
    """A trial that this process has made run."""
    import optuna

    return optuna.Trial(study, _id(study, number))


def _id(study: optuna.Study, number: int) -> int:
    """The storage's own name of a trial."""
    return study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
