"""A process that runs trials of one study until none waits: `python -m studies.worker OUT STUDY SETTINGS NAME`.

It is started by the conductor, which holds the other end of its standard input: when that closes, because the conductor
wants it or has died, or at SIGTERM, the worker stops at the next safe point and puts its trial back.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.training.watcher import StopRequested
from studies.claims import ERROR, Worker, put_back
from studies.patience import patiently
from studies.plan import StudySettings, study_folder
from studies.planning import make_plan
from studies.storage import load, open_storage, pruner_for, suggest
from studies.trial import PrunedTraining, TrialFailedError, check

if TYPE_CHECKING:
    import optuna
    from optuna.trial import TrialState

    from studies.planning import AnyPlan

STORAGE_VARIABLE = "PCTRANS_BENCH_STUDY_STORAGE"
"""The storage's URL: in the environment, as it may hold a password and arguments are for all to see."""
STOPPED = 130


def main() -> int:
    """Run trials; the exit status is 0, or 130 after a stop."""
    parser = argparse.ArgumentParser(prog="python -m studies.worker")
    parser.add_argument("out", type=Path)
    parser.add_argument("study")
    parser.add_argument("settings", type=Path, help="JSON file of what the command was started with")
    parser.add_argument("name", help="what the worker is called in the storage")
    arguments = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
    folder = study_folder(arguments.out, arguments.study)
    settings = StudySettings(**json.loads(arguments.settings.read_text()))
    plan = make_plan(settings)
    storage = open_storage(os.environ.get(STORAGE_VARIABLE), folder)
    study = patiently(lambda: load(plan, storage))
    with Worker(folder, arguments.name) as worker:
        try:
            run_trials(study, plan, worker, arguments.out, settings.device, stop)
        except StopRequested:
            return STOPPED
    return 0


def run_trials(
    study: optuna.Study, plan: AnyPlan, worker: Worker, out: Path, device: str, stop: threading.Event
) -> None:
    """Claim and run trials until none waits.

    Raises:
        StopRequested: `stop` was set; the trial at hand waits again.
    """
    study.pruner = pruner_for(plan.spec, plan.validations)
    while True:
        check(stop.is_set)
        trial = patiently(lambda: worker.claim(study, plan.spec))
        if trial is None:
            return
        with worker.alive(trial):
            try:
                _finish(study, trial, plan, out, device, stop.is_set)
            except StopRequested:
                put_back(study, worker.folder, trial.number, worker.name, death=None)
                raise


def _finish(
    study: optuna.Study, trial: optuna.Trial, plan: AnyPlan, out: Path, device: str, stopping: Callable[[], bool]
) -> None:
    """Run one trial and tell the storage how it ended."""
    from optuna.trial import TrialState

    params = patiently(lambda: suggest(trial, plan.spec))
    print(f"trial {trial.number}: {params}", flush=True)
    try:
        values = plan.run(trial, params, out, device, stopping)
    except PrunedTraining:
        _tell(study, trial, state=TrialState.PRUNED)
    except TrialFailedError as error:
        _tell(study, trial, state=TrialState.FAIL, error=str(error))
    except Exception as error:
        traceback.print_exc()
        _tell(study, trial, state=TrialState.FAIL, error=f"{type(error).__name__}: {error}")
    else:
        _tell(study, trial, values=values)


def _tell(
    study: optuna.Study,
    trial: optuna.Trial,
    values: list[float] | None = None,
    state: TrialState | None = None,
    error: str | None = None,
) -> None:
    """End a trial, unless another machine took this worker for dead and ended it meanwhile."""
    import optuna

    try:
        if error is not None:
            patiently(lambda: trial.set_user_attr(ERROR, error))
        patiently(lambda: study.tell(trial, values, state))
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError) as refused:
        print(f"trial {trial.number}: not told, {refused}", flush=True)


def _wait_for_end_of_input(stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):  # not sys.stdin, whose lock a thread that waits would hold at the end of the process
            pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
