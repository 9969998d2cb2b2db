"""Slots, leases and deaths, on a real journal; no training."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from studies import leases
from studies.leases import Leaseholder, Reaper, put_back
from studies.plan import StudySettings, TrainingPlan
from studies.plans import make_plan as make_plan_of
from studies.records import read_trials
from studies.slots import create_or_join, queue_failed_again
from studies.storage import open_storage, suggest

Make = Callable[..., TrainingPlan]


def claim_all(folder: Path, name: str, settings: StudySettings) -> list[int]:
    """What a command does, less the training."""
    plan = make_plan_of(settings)
    study = create_or_join(plan, open_storage(None, folder))
    numbers = []
    with Leaseholder(folder, name) as holder:
        while trial := holder.claim(study, plan.spec):
            suggest(trial, plan.spec)
            study.tell(trial, 0.5)
            numbers.append(trial.number)
    return numbers


def test_every_point_of_a_grid_once_whoever_runs_it(tmp_path: Path, make_plan: Make) -> None:
    """Four processes plan and claim at the same time."""
    plan = make_plan("temperatures")
    with ProcessPoolExecutor(4) as pool:
        runs = [pool.submit(claim_all, tmp_path, f"command-{index}", plan.settings) for index in range(4)]
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
        for index, count in enumerate(splits):  # another command goes on where one stopped
            with Leaseholder(tmp_path / name, f"w{index}") as holder:
                for _ in range(count):
                    trial = holder.claim(study, plan.spec)
                    assert trial is not None
                    params = suggest(trial, plan.spec)
                    study.tell(trial, float(params["training.learning_rate"]))
        drawn.append([trial.params for trial in read_trials(study)])
    assert drawn[0][0] == plan.defaults
    assert drawn[0] == drawn[1]
    assert len({str(params) for params in drawn[0]}) == 6


def dead_command(folder: Path, plan_source: str) -> None:
    """A process that claims a trial and is killed."""
    code = f"""
import os, signal
from pathlib import Path
from studies.leases import Leaseholder
from studies.storage import open_storage
import optuna
{plan_source}
study = optuna.load_study(study_name=NAME, storage=open_storage(None, Path(FOLDER)))
with Leaseholder(Path(FOLDER), "doomed") as holder:
    trial = holder.claim(study, SPEC)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9


def test_a_dead_commands_trial_waits_again_once(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=2)
    study = create_or_join(plan, open_storage(None, tmp_path))
    source = (
        "from studies.specification import parse_study\n"
        f"SPEC = parse_study({plan.spec.model_dump(mode='json')!r}, 'x')\n"
        f"NAME, FOLDER = {study.study_name!r}, {str(tmp_path)!r}"
    )
    reaper = Reaper(study, tmp_path)
    assert reaper.recover(counted=True) == []
    dead_command(tmp_path, source)
    assert read_trials(study)[0].state == "running"
    assert reaper.recover(counted=True) == [0]
    assert read_trials(study)[0].state == "waiting"
    dead_command(tmp_path, source)
    assert reaper.recover(counted=True) == [0]
    first = read_trials(study)[0]
    assert (first.state, first.deaths) == ("failed", 2)
    assert first.error is not None and "its process died twice" in first.error
    assert len(study.trials) == 2


def test_a_command_that_ends_by_an_error_puts_its_trials_back(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    with pytest.raises(ZeroDivisionError), Leaseholder(tmp_path, "unlucky") as holder:
        assert holder.claim(study, plan.spec) is not None
        raise ZeroDivisionError
    (trial,) = read_trials(study)
    assert (trial.state, trial.deaths) == ("waiting", 0)
    assert list((tmp_path / "workers").iterdir()) == []


def test_a_free_lock_of_another_machine_tells_nothing(tmp_path: Path, make_plan: Make) -> None:
    """Its folder may be shared and its locks not."""
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    with Leaseholder(tmp_path, "far") as holder:
        trial = holder.claim(study, plan.spec)
        assert trial is not None
        holder.release(trial)
    (tmp_path / "workers" / "far.lock").write_text("another-machine")
    assert Reaper(study, tmp_path).recover(counted=True) == []


def test_of_two_trials_for_one_slot_the_first_is_run(tmp_path: Path, make_plan: Make) -> None:
    """Two machines with folders of their own fill the slots of one storage at the same moment."""
    plan = make_plan(trials=2)
    study = create_or_join(plan, open_storage(None, tmp_path))
    for slot in (0, 1, 1):
        study.enqueue_trial({}, user_attrs={"slot": slot})
    assert [trial.number for trial in read_trials(study)] == [0, 1]
    with Leaseholder(tmp_path, "one") as holder:
        for _ in range(2):
            trial = holder.claim(study, plan.spec)
            assert trial is not None
            suggest(trial, plan.spec)
            study.tell(trial, 0.5)
        assert holder.claim(study, plan.spec) is None
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "FAIL", "FAIL", "FAIL"]
    assert [trial.state for trial in read_trials(study)] == ["complete", "complete"]
    assert queue_failed_again(study) == 0


def test_several_commands_that_enlarge_a_study_fill_each_slot_once(tmp_path: Path, make_plan: Make) -> None:
    create_or_join(make_plan(trials=1), open_storage(None, tmp_path))
    plan = make_plan(trials=20)
    with ProcessPoolExecutor(4) as pool:
        runs = [pool.submit(claim_all, tmp_path, f"command-{index}", plan.settings) for index in range(4)]
    assert sorted(number for run in runs for number in run.result())[:1] == [0]
    trials = read_trials(create_or_join(plan, open_storage(None, tmp_path)))
    assert sorted(trial.slot for trial in trials if trial.slot is not None) == list(range(20))


def test_an_interrupt_counts_for_nothing(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), Leaseholder(tmp_path) as holder:
            assert holder.claim(study, plan.spec) is not None
            assert read_trials(study)[0].state == "running"
            raise KeyboardInterrupt
        (trial,) = read_trials(study)
        assert (trial.state, trial.deaths) == ("waiting", 0)


def test_trials_that_are_held_are_told_alive(tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.05)
    plan = make_plan(trials=2)
    study = create_or_join(plan, open_storage(None, tmp_path))
    with Leaseholder(tmp_path, "one") as holder:
        held, released = holder.claim(study, plan.spec), holder.claim(study, plan.spec)
        assert held is not None and released is not None
        holder.release(released)
        until = time.monotonic() + 30
        while "beat" not in study.trials[held.number].user_attrs and time.monotonic() < until:
            time.sleep(0.02)
    assert study.trials[held.number].user_attrs["beat"].startswith("one ")
    assert "beat" not in study.trials[released.number].user_attrs


def test_a_living_commands_trial_is_left_alone_and_claimed_trials_are_not_put_back_late(
    tmp_path: Path, make_plan: Make
) -> None:
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    with Leaseholder(tmp_path, "living") as holder:
        assert holder.claim(study, plan.spec) is not None
        assert Reaper(study, tmp_path).recover(counted=True) == []
        put_back(study, tmp_path, 0, "another", death="late")
        assert read_trials(study)[0].state == "running"


def test_a_silent_command_elsewhere_is_taken_for_dead(
    tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is on another machine: only its counter tells that it is alive."""
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    reaper = Reaper(study, tmp_path)
    with Leaseholder(tmp_path / "elsewhere", "far") as holder:
        trial = holder.claim(study, plan.spec)
        assert trial is not None
        assert reaper.recover(counted=True) == []
        monkeypatch.setattr(leases, "SILENT_SECONDS", 0.0)
        trial.set_user_attr("beat", "far 1")
        assert reaper.recover(counted=True) == []  # it has moved
        assert reaper.recover(counted=True) == [0]
    assert study.trials[0].state == TrialState.WAITING
