"""A study from its claims to its last trial: what trials are judged by, pruning, failures, stops."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from tiny_study import TINY

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.run.executors.in_process import InProcessExecutor
from benchmarks.run.validation import validation_scores
from benchmarks.store.job_folder import JobFolder
from studies import job_trials
from studies.job_trials import JobTrials
from studies.leases import Leaseholder
from studies.plan import TrainingPlan
from studies.records import TrialRecord, read_trials, unresolved_failures
from studies.running import StudyRun
from studies.slots import create_or_join, queue_failed_again
from studies.specification import Choice, parse_study
from studies.storage import open_storage, pruner_for, suggest
from studies.trial import TrialEnd, ValidationReporter

Make = Callable[..., TrainingPlan]


def ignore(trials: list[TrialRecord]) -> None:
    pass


class Spied:
    """A dataset that knows which images were asked for."""

    def __init__(self, dataset: Dataset):
        self.dataset, self.loaded = dataset, list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dataset, name)

    def load(self, id: str) -> Any:
        self.loaded.append(id)
        return self.dataset.load(id)


def run_jobs(plan: TrainingPlan, out: Path, storage: Path) -> list[TrialRecord]:
    """The study in this process, one job after the other."""
    study = create_or_join(plan, open_storage(None, storage))
    runner = JobTrials(plan, out, InProcessExecutor(out, "cpu", datasets=[plan.dataset]), 1)
    return StudyRun(study, plan, storage, runner, ignore).run()


def new_trial() -> optuna.Trial:
    return optuna.create_study(direction="maximize", pruner=optuna.pruners.NopPruner()).ask()


def test_what_a_trial_is_judged_by(tmp_path: Path, make_plan: Make, dataset: Dataset) -> None:
    """Every image of the validation split, and nothing of the test split that its job also tests on."""
    plan = make_plan(trials=1)
    (trial,) = run_jobs(plan, tmp_path, tmp_path / "first")
    folder = JobFolder.of(plan.job(trial.params), tmp_path)
    scores = json.loads(folder.validation_scores.read_text())
    assert [row["id"] for row in scores["images"]] == list(dataset.ids("val"))
    assert trial.values == (scores["metrics"]["pq"],)
    assert scores["metrics"]["pq"] == pytest.approx(sum(row["pq"] for row in scores["images"]) / 2)
    assert trial.key == folder.key and not trial.cached

    folder.validation_scores.unlink()
    spied = Spied(dataset)
    again = validation_scores(plan.job(trial.params), spied, folder, "cpu")  # type: ignore[arg-type]
    assert spied.loaded == list(dataset.ids("val"))
    assert again == scores["metrics"]

    result = json.loads(folder.result.read_text())
    result["metrics"] = {name: 1e9 for name in result["metrics"]}
    result["images"], result["seal"] = [], None
    folder.result.write_text(json.dumps(result))
    (cached,) = run_jobs(plan, tmp_path, tmp_path / "second")
    assert cached.values == trial.values and cached.cached
    assert cached.costs["parameters"] == result["cost"]["parameters"]


def test_a_job_of_a_table_is_not_trained_again_and_only_scored(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=1)
    (trial,) = run_jobs(plan, tmp_path, tmp_path / "first")
    folder = JobFolder.of(plan.job(trial.params), tmp_path)
    before = folder.result.stat().st_mtime_ns
    folder.validation_scores.unlink()
    (again,) = run_jobs(plan, tmp_path, tmp_path / "second")
    assert again.values == trial.values and again.cached and folder.result.stat().st_mtime_ns == before


def test_damaged_scores_are_refused_and_fail_their_trial_alone(
    tmp_path: Path, make_plan: Make, dataset: Dataset
) -> None:
    plan = make_plan(trials=2)
    trials = run_jobs(plan, tmp_path, tmp_path / "first")
    folder = JobFolder.of(plan.job(trials[0].params), tmp_path)
    for content in ("{", "[]", '{"schema": 1, "split": "test", "metrics": {}}', '{"schema": 2}'):
        folder.validation_scores.write_text(content)
        with pytest.raises(UserError, match=r"validation_scores\.json is damaged"):
            validation_scores(plan.job(trials[0].params), dataset, folder, "cpu")
    again = run_jobs(plan, tmp_path, tmp_path / "second")
    assert [trial.state for trial in again] == ["failed", "complete"]
    assert "validation_scores.json is damaged" in str(again[0].error)


class Always(optuna.pruners.BasePruner):
    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return True


def test_a_pruned_job_leaves_neither_result_nor_error_and_can_go_on(
    tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(
        overrides={"training": {"iterations": 4, "checkpoint_every": 1}},
        pruner={"kind": "halving", "validations": 4},
        trials=1,
    )
    with monkeypatch.context() as patch:
        patch.setattr("studies.running.pruner_for", lambda *_: Always())
        (pruned,) = run_jobs(plan, tmp_path, tmp_path / "first")
    assert pruned.state == "pruned" and list(pruned.intermediate) == [1]
    folder = JobFolder.of(plan.job(pruned.params), tmp_path)
    assert not folder.done and not folder.failure.exists() and folder.checkpoint.exists()

    (whole,) = run_jobs(plan, tmp_path, tmp_path / "second")
    assert whole.state == "complete" and list(whole.intermediate) == [1, 2, 3, 4]
    assert json.loads(folder.result.read_text())["cost"]["iterations"] == 4

    monkeypatch.setattr("studies.running.pruner_for", lambda *_: Always())
    (again,) = run_jobs(plan, tmp_path, tmp_path / "third")  # what is done is not stopped, and others are compared
    assert again.state == "complete" and list(again.intermediate) == [1, 2, 3, 4]


def test_every_validation_is_reported_once(tmp_path: Path) -> None:
    """Those of an earlier start too; validations that are not the pruner's are left out."""
    trial, curve = new_trial(), tmp_path / "validation.csv"
    reporter = ValidationReporter(trial, curve, every=10, last=3)
    assert not reporter()
    curve.write_text("iteration,epoch,pq\n10,1,0.1\n15,1,0.9\n20,2,0.2\n")
    assert not reporter() and not reporter()
    with curve.open("a") as file:
        file.write("30,3,0.3\n")
    assert not reporter()
    assert trial.study.trials[0].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}


def test_what_is_trained_to_its_end_is_not_stopped_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, curve = new_trial(), tmp_path / "validation.csv"
    monkeypatch.setattr(trial, "should_prune", lambda: True)
    reporter = ValidationReporter(trial, curve, every=10, last=2)
    curve.write_text("iteration,epoch,pq\n10,1,0.1\n")
    assert reporter()
    with curve.open("a") as file:
        file.write("20,2,0.2\n")
    assert not reporter()
    assert trial.study.trials[0].intermediate_values == {1: 0.1, 2: 0.2}


def test_successive_halving_lets_one_in_three_go_on() -> None:
    """Written out: after the first validation only the best third so far goes on."""
    spec = parse_study(TINY | {"pruner": {"kind": "halving", "reduction": 3, "validations": 9}}, "x")
    study = optuna.create_study(direction="maximize", pruner=pruner_for(spec, 9))
    went_on = []
    for value in (0.1, 0.2, 0.3, 0.05, 0.4, 0.15, 0.5):
        trial = study.ask()
        trial.report(value, 1)
        pruned = trial.should_prune()
        study.tell(trial, state=TrialState.PRUNED if pruned else None, values=None if pruned else [value])
        went_on.append(not pruned)
    seen: list[float] = []
    for value, on in zip((0.1, 0.2, 0.3, 0.05, 0.4, 0.15, 0.5), went_on, strict=True):
        seen.append(value)
        allowed = sorted(seen, reverse=True)[: max(1, len(seen) // 3)]
        assert on == (value in allowed)


def test_two_trials_of_one_job_share_it(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=3, search={"training.learning_rate": {"values": [0.001]}})
    study = create_or_join(plan, open_storage(None, tmp_path / "study"))
    runner = JobTrials(plan, tmp_path, InProcessExecutor(tmp_path, "cpu", datasets=[plan.dataset]), 2)
    trials = StudyRun(study, plan, tmp_path / "study", runner, ignore).run()
    assert len({trial.key for trial in trials}) == 1 and len({trial.values for trial in trials}) == 1


def test_a_job_whose_process_died_is_tried_once_more(
    tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_trials, "DIED", "ValueError")  # stands for the end of a process

    def die(*_: object, **__: object) -> None:
        raise ValueError("killed")

    monkeypatch.setattr("benchmarks.run.execution.train_job", die)
    (trial,) = run_jobs(make_plan(trials=1), tmp_path, tmp_path / "study")
    assert (trial.state, trial.deaths) == ("failed", 2) and "died twice" in str(trial.error)


class Scripted:
    """A runner whose trials end as a script says."""

    def __init__(self, *script: Any):
        self.script = list(script)
        self.running: list[optuna.Trial] = []
        self.stopped = 0

    def room(self) -> int:
        return 1 - len(self.running)

    def start(self, trial: optuna.Trial, params: Mapping[str, Choice]) -> None:
        self.running.append(trial)

    def step(self, tick: Callable[[], None]) -> list[TrialEnd]:
        tick()
        if not self.running:
            return []
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        trial = self.running.pop()
        if isinstance(step, float):
            return [TrialEnd(trial, "complete", (step,))]
        status, error = step
        return [TrialEnd(trial, status, error=error)]

    def stop(self) -> None:
        self.stopped += 1


def run_scripted(plan: TrainingPlan, folder: Path, runner: Scripted) -> list[TrialRecord]:
    study = create_or_join(plan, open_storage(None, folder))
    return StudyRun(study, plan, folder, runner, ignore).run()


def test_how_trials_end(tmp_path: Path, make_plan: Make) -> None:
    """A failure is recorded and does not stop the others; a trial whose process died is tried once more."""
    script = Scripted(0.5, ("failed", "no memory"), ("pruned", None), ("died", "killed"), 0.7)
    found = run_scripted(make_plan(trials=4), tmp_path, script)
    assert [trial.state for trial in found] == ["complete", "failed", "pruned", "complete"]
    assert [trial.error for trial in found] == [None, "no memory", None, None]
    assert [trial.deaths for trial in found] == [0, 0, 0, 1] and script.stopped == 1


def test_failed_trials_are_tried_again_with_their_settings_where_asked(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=4)
    odd = ("failed", "odd")
    script = Scripted(0.5, odd, ("pruned", None), odd, ("failed", "again"), 0.7, 0.8)
    study = create_or_join(plan, open_storage(None, tmp_path))
    states = []
    for _ in range(3):
        found = run_scripted(plan, tmp_path, script)
        states.append([trial.state for trial in found])
        failed = len(unresolved_failures(found))
        assert queue_failed_again(study) == (2, 1, 0)[len(states) - 1] and (failed > 0) == (len(states) < 3)
    assert states[0] == ["complete", "failed", "pruned", "failed"]
    assert states[1] == [*states[0], "failed", "complete"] and states[2] == [*states[1], "complete"]
    found = read_trials(study)
    assert found[1].params == found[4].params == found[6].params != found[3].params == found[5].params
    assert [trial.slot for trial in found] == [0, 1, 2, 3, 1, 3, 1]
    assert create_or_join(plan, open_storage(None, tmp_path)).trials[-1].number == 6, "joining adds nothing"


def test_a_stopped_commands_trials_wait_again(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(trials=4)
    script = Scripted(0.5, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run_scripted(plan, tmp_path, script)
    study = create_or_join(plan, open_storage(None, tmp_path))
    assert [trial.state for trial in read_trials(study)] == ["complete", "waiting", "waiting", "waiting"]
    assert script.stopped == 1
    found = run_scripted(plan, tmp_path, Scripted(0.6, 0.7, 0.8))
    assert [trial.values for trial in found] == [(0.5,), (0.6,), (0.7,), (0.8,)]
    assert [trial.deaths for trial in found] == [0, 0, 0, 0]


def test_a_command_that_shares_a_study_waits_for_the_others(tmp_path: Path, make_plan: Make) -> None:
    """Its own runner has nothing to do any more, but a trial of another command is not done."""
    plan = make_plan(trials=1)
    study = create_or_join(plan, open_storage(None, tmp_path))
    looks: list[str] = []
    with Leaseholder(tmp_path, "another") as other:
        trial = other.claim(study, plan.spec)
        assert trial is not None
        suggest(trial, plan.spec)

        def look(trials: list[TrialRecord]) -> None:
            looks.append(trials[0].state)
            if len(looks) == 2:
                study.tell(trial, 0.5)

        (found,) = StudyRun(study, plan, tmp_path, Scripted(), look).run()
    assert looks[:2] == ["running", "running"] and found.values == (0.5,) and found.holder == "another"
