"""The Optuna study behind a study: its storage, its sampler, its pruner."""

from __future__ import annotations

import hashlib
import random
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.errors import UserError
from benchmarks.tracking.addresses import shown
from studies.specification import Choice, StudySpec

if TYPE_CHECKING:
    import optuna

FIRST_STARTS = 8
"""Tries to make the tables of a new database, which several machines may do at once."""


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
        UserError: no storage of that kind, it does not answer, or the journal is damaged.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    if url is None:
        from studies.journal import Journal

        folder.mkdir(parents=True, exist_ok=True)
        return optuna.storages.JournalStorage(Journal(journal(folder)))
    if "://" not in url:
        raise UserError(
            f"--storage {shown(url)}: expected a URL, such as sqlite:///PATH.db or postgresql+pg8000://USER@HOST/DB."
        )
    try:
        return _connect(url)
    except ImportError as error:
        raise UserError(
            f"--storage {shown(url)} needs a driver that is not installed ({shown(str(error.__cause__ or error))}). "
            "For PostgreSQL: pip install 'pctrans-bench[postgres]', and a URL that starts with postgresql+pg8000://."
        ) from error
    except Exception as error:  # a database may refuse in any way
        reason = shown((str(error.__cause__ or error).splitlines() or [""])[0])
        raise UserError(f"--storage {shown(url)} cannot be used: {type(error).__name__}: {reason}") from error


def _connect(url: str) -> optuna.storages.BaseStorage:
    """The storage of a URL; who comes first makes its tables, and those who wanted to at the same moment try again."""
    import optuna
    from sqlalchemy.exc import DBAPIError

    for _ in range(FIRST_STARTS - 1):
        try:
            return optuna.storages.get_storage(url)
        except DBAPIError as error:
            if not any(words in str(error) for words in ("already exists", "duplicate key")):
                raise
            time.sleep(random.uniform(0.2, 2.0))
    return optuna.storages.get_storage(url)


def study_name(plan: Planned) -> str:
    """The name in the storage, which many studies may share."""
    return f"{plan.spec.name}-{plan.digest}"


def other_studies(plan: Planned, storage: optuna.storages.BaseStorage) -> list[str]:
    """Studies of the same name in the storage that this one has no trial in common with."""
    import optuna

    names = optuna.get_all_study_names(storage)
    return sorted(name for name in names if name.rpartition("-")[0] == plan.spec.name and name != study_name(plan))


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
