"""Slots, claims and deaths, on a real journal; no training."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from studies import claims
from studies.claims import Undertaker, Worker, put_back
from studies.plan import StudySettings, TrainingPlan
from studies.planning import make_plan as make_plan_of
from studies.records import read_trials
from studies.slots import create_or_join, queue_failed_again
from studies.storage import open_storage, suggest

Make = Callable[..., TrainingPlan]


def claim_all(folder: Path, name: str, settings: StudySettings) -> list[int]:
    """What a worker process does, less the training."""
    plan = make_plan_of(settings)
    study = create_or_join(plan, open_storage(None, folder))
    numbers = []
    with Worker(folder, name) as worker:
        while trial := worker.claim(study, plan.spec):
            suggest(trial, plan.spec)
            study.tell(trial, 0.5)
            numbers.append(trial.number)
    return numbers


def test_every_point_of_a_grid_once_whoever_runs_it(tmp_path: Path, make_plan: Make) -> None:
    """Four processes plan and claim at the same time."""
    plan = make_plan("temperatures")
    with ProcessPoolExecutor(4) as pool:
        runs = [pool.submit(claim_all, tmp_path, f"worker-{index}", plan.settings) for index in range(4)]
    claimed = [number for run in runs for number in run.result()]
    assert sorted(claimed) == list(range(9))
    trials = read_trials(create_or_join(plan, open_storage(None, tmp_path)))
    assert Counter(str(trial.params) for trial in trials) == Counter(str(point) for point in plan.grid())


def test_a_larger_budget_adds_trials(make_plan: Make, storage: optuna.storages.BaseStorage) -> None:
    create_or_join(make_plan(trials=3), storage)
    study = create_or_join(make_plan(trials=5), storage)
    assert [trial.user_attrs["slot"] for trial in study.trials] == [0, 1, 2, 3, 4]
    assert study.metric_names == ["validation PQ"]
    assert len(create_or_join(make_plan(trials=2), storage).trials) == 5


def test_the_first_trial_is_the_default_and_others_do_not_depend_on_who_draws(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=6)
    drawn = []
    for name, splits in (("a", [6]), ("b", [2, 1, 3])):
        study = create_or_join(plan, open_storage(None, tmp_path / name))
        for index, count in enumerate(splits):  # another worker goes on where one stopped
            with Worker(tmp_path / name, f"w{index}") as worker:
                for _ in range(count):
                    trial = worker.claim(study, plan.spec)
                    assert trial is not None
                    params = suggest(trial, plan.spec)
                    study.tell(trial, float(params["training.learning_rate"]))
        drawn.append([trial.params for trial in read_trials(study)])
    assert drawn[0][0] == plan.defaults
    assert drawn[0] == drawn[1]
    assert len({str(params) for params in drawn[0]}) == 6


def dead_worker(folder: Path, plan_source: str) -> None:
    """A process that claims a trial and is killed."""
    code = f"""
import os, signal
from pathlib import Path
from studies.claims import Worker
from studies.storage import open_storage
import optuna
{plan_source}
study = optuna.load_study(study_name=NAME, storage=open_storage(None, Path(FOLDER)))
with Worker(Path(FOLDER), "doomed") as worker:
    trial = worker.claim(study, SPEC)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9


def test_a_dead_workers_trial_waits_again_once(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=2)
    study = create_or_join(plan, open_storage(None, tmp_path))
    source = (
        f"from studies.specs import parse_study\nSPEC = parse_study({plan.spec.model_dump(mode='json')!r}, 'x')\n"
        f"NAME, FOLDER = {study.study_name!r}, {str(tmp_path)!r}"
    )
    undertaker = Undertaker(study, tmp_path)
    assert undertaker.recover(counted=True) == []
    dead_worker(tmp_path, source)
    assert read_trials(study)[0].state == "running"
    assert undertaker.recover(counted=True) == [0]
    assert read_trials(study)[0].state == "waiting"
    dead_worker(tmp_path, source)
    assert undertaker.recover(counted=True) == [0]
    first = read_trials(study)[0]
    assert (first.state, first.deaths) == ("failed", 2)
    assert first.error is not None and "its worker died twice" in first.error
    assert len(study.trials) == 2


def test_a_worker_that_dies_by_an_error_is_found_at_once(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    with pytest.raises(ZeroDivisionError), Worker(tmp_path, "unlucky") as worker:
        assert worker.claim(study, plan.spec) is not None
        raise ZeroDivisionError
    assert Undertaker(study, tmp_path).recover(counted=True) == [0]
    assert list((tmp_path / "workers").iterdir()) == []


def test_a_free_lock_of_another_machine_tells_nothing(tmp_path: Path, make_plan: Make) -> None:
    """Its folder may be shared and its locks not."""
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    with Worker(tmp_path, "far") as worker:
        assert worker.claim(study, plan.spec) is not None
    (tmp_path / "workers" / "far.lock").write_text("another-machine")
    assert Undertaker(study, tmp_path).recover(counted=True) == []


def test_of_two_trials_for_one_slot_the_first_is_run(tmp_path: Path, make_plan: Make) -> None:
    """Two machines with folders of their own fill the slots of one storage at the same moment."""
    plan = make_plan(trials=2)
    study = create_or_join(plan, open_storage(None, tmp_path))
    for slot in (0, 1, 1):
        study.enqueue_trial({}, user_attrs={"slot": slot})
    assert [trial.number for trial in read_trials(study)] == [0, 1]
    with Worker(tmp_path, "one") as worker:
        for _ in range(2):
            trial = worker.claim(study, plan.spec)
            assert trial is not None
            suggest(trial, plan.spec)
            study.tell(trial, 0.5)
        assert worker.claim(study, plan.spec) is None
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "FAIL", "FAIL", "FAIL"]
    assert [trial.state for trial in read_trials(study)] == ["complete", "complete"]
    assert queue_failed_again(study) == 0


def test_several_commands_that_enlarge_a_study_fill_each_slot_once(tmp_path: Path, make_plan: Make) -> None:
    create_or_join(make_plan(trials=1), open_storage(None, tmp_path))
    plan = make_plan(trials=20)
    with ProcessPoolExecutor(4) as pool:
        runs = [pool.submit(claim_all, tmp_path, f"worker-{index}", plan.settings) for index in range(4)]
    assert sorted(number for run in runs for number in run.result())[:1] == [0]
    trials = read_trials(create_or_join(plan, open_storage(None, tmp_path)))
    assert sorted(trial.slot for trial in trials if trial.slot is not None) == list(range(20))


def test_an_interrupt_of_all_counts_for_nothing(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    for _ in range(3):
        worker = Worker(tmp_path, "one")
        with worker:
            assert worker.claim(study, plan.spec) is not None
        assert Undertaker(study, tmp_path).recover(counted=False) == []  # no file: silent for a moment only
        put_back(study, tmp_path, 0, "one", death=None)
        assert read_trials(study)[0].state == "waiting"


def test_a_living_workers_trial_is_left_alone_and_claimed_trials_are_not_put_back_late(
    tmp_path: Path, make_plan: Make
) -> None:
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    with Worker(tmp_path, "living") as worker:
        assert worker.claim(study, plan.spec) is not None
        assert Undertaker(study, tmp_path).recover(counted=True) == []
        put_back(study, tmp_path, 0, "another", death="late")
        assert read_trials(study)[0].state == "running"


def test_a_silent_worker_elsewhere_is_taken_for_dead(
    tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is on another machine: only its counter tells that it is alive."""
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    undertaker = Undertaker(study, tmp_path)
    with Worker(tmp_path / "elsewhere", "far") as worker:
        trial = worker.claim(study, plan.spec)
        assert trial is not None
        assert undertaker.recover(counted=True) == []
        monkeypatch.setattr(claims, "SILENT_SECONDS", 0.0)
        trial.set_user_attr("beat", "far 1")
        assert undertaker.recover(counted=True) == []  # it has moved
        assert undertaker.recover(counted=True) == [0]
    assert study.trials[0].state == TrialState.WAITING
