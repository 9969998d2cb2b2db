"""One trial: which figures it is judged by, pruning, failures; and the worker that runs it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from tiny_study import TINY

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.watcher import StopRequested
from studies import trial as trial_module
from studies.claims import Worker
from studies.plan import TrainingPlan
from studies.records import read_trials, unresolved_failures
from studies.scoring import validation_scores
from studies.slots import create_or_join, queue_failed_again
from studies.specs import StudySpec, parse_study
from studies.storage import open_storage, pruner_for
from studies.trial import PrunedTraining, TrialFailedError, Validations
from studies.worker import run_trials

Make = Callable[..., TrainingPlan]


def never() -> bool:
    return False


class Spied:
    """A dataset that knows which images were asked for."""

    def __init__(self, dataset: Dataset):
        self.dataset, self.loaded = dataset, list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dataset, name)

    def load(self, id: str) -> Any:
        self.loaded.append(id)
        return self.dataset.load(id)


def new_trial(pruner: optuna.pruners.BasePruner | None = None) -> optuna.Trial:
    return optuna.create_study(direction="maximize", pruner=pruner or optuna.pruners.NopPruner()).ask()


POINT = {"training.learning_rate": 1e-3}


def test_what_a_trial_is_judged_by(tmp_path: Path, make_plan: Make, dataset: Dataset) -> None:
    """Every image of the validation split, and nothing of the test split that its job also tests on."""
    plan = make_plan()
    trial = new_trial()
    (value,) = plan.run(trial, POINT, tmp_path, "cpu", never)
    folder = plan.job(POINT).folder(tmp_path)
    scores = json.loads((folder / "validation_scores.json").read_text())
    assert [row["id"] for row in scores["images"]] == list(dataset.ids("val"))
    assert value == scores["metrics"]["pq"] == pytest.approx(sum(row["pq"] for row in scores["images"]) / 2)
    assert trial.user_attrs["key"] == folder.name and trial.user_attrs["cached"] is False

    (folder / "validation_scores.json").unlink()
    spied = Spied(dataset)
    again = validation_scores(plan.job(POINT), spied, tmp_path, "cpu")  # type: ignore[arg-type]
    assert spied.loaded == list(dataset.ids("val"))
    assert again == scores["metrics"]

    result = json.loads((folder / "result.json").read_text())
    result["metrics"] = {name: 1e9 for name in result["metrics"]}
    result["images"] = []
    (folder / "result.json").write_text(json.dumps(result))
    cached = new_trial()
    assert plan.run(cached, POINT, tmp_path, "cpu", never) == [value]
    assert cached.user_attrs["cached"] is True
    assert cached.user_attrs["costs"]["parameters"] == result["cost"]["parameters"]


def test_damaged_scores_are_refused(tmp_path: Path, make_plan: Make, dataset: Dataset) -> None:
    job = make_plan().job(POINT)
    path = JobFolder.of(job, tmp_path).path / "validation_scores.json"
    path.parent.mkdir(parents=True)
    for content in ("{", "[]", '{"schema": 1, "split": "test", "metrics": {}}', '{"schema": 2}'):
        path.write_text(content)
        with pytest.raises(UserError, match=r"validation_scores\.json is damaged"):
            validation_scores(job, dataset, tmp_path, "cpu")


class Always(optuna.pruners.BasePruner):
    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return True


def test_a_pruned_job_leaves_neither_result_nor_error_and_can_go_on(tmp_path: Path, make_plan: Make) -> None:
    plan = make_plan(
        overrides={"training": {"iterations": 4, "checkpoint_every": 1}},
        pruner={"kind": "halving", "validations": 4},
    )
    trial = new_trial(Always())
    with pytest.raises(PrunedTraining):
        plan.run(trial, POINT, tmp_path, "cpu", never)
    folder = plan.job(POINT).folder(tmp_path)
    assert not (folder / "result.json").exists() and not (folder / "error.json").exists()
    assert (folder / "checkpoint.pt").exists()
    reported = trial.study.trials[0].intermediate_values
    assert list(reported) == [1]
    plan.run(new_trial(), POINT, tmp_path, "cpu", never)
    assert json.loads((folder / "result.json").read_text())["cost"]["iterations"] == 4
    again = new_trial(Always())
    plan.run(again, POINT, tmp_path, "cpu", never)  # what is done is not stopped, and others are compared with it
    assert list(again.study.trials[0].intermediate_values) == [1, 2, 3, 4]


def test_every_validation_is_reported_once(tmp_path: Path) -> None:
    """Those of an earlier start too; validations that are not the pruner's are left out."""
    trial, curve = new_trial(), tmp_path / "validation.csv"
    reporter = trial_module._Reporter(trial, Validations(10, 3), curve)
    reporter(prune=True)
    curve.write_text("iteration,epoch,pq\n10,1,0.1\n15,1,0.9\n20,2,0.2\n")
    reporter(prune=True)
    reporter(prune=True)
    with curve.open("a") as file:
        file.write("30,3,0.3\n")
    reporter(prune=True)
    assert trial.study.trials[0].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}


def test_what_is_trained_to_its_end_is_not_stopped_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, curve = new_trial(), tmp_path / "validation.csv"
    monkeypatch.setattr(trial, "should_prune", lambda: True)
    reporter = trial_module._Reporter(trial, Validations(10, 2), curve)
    curve.write_text("iteration,epoch,pq\n10,1,0.1\n")
    with pytest.raises(PrunedTraining):
        reporter(prune=True)
    with curve.open("a") as file:
        file.write("20,2,0.2\n")
    reporter(prune=True)
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


@dataclass
class Scripted:
    """A plan whose trials end as a script says."""

    script: list[Any]
    spec: StudySpec = field(default_factory=lambda: parse_study(TINY, "x"))
    digest: str = "0" * 16
    defaults: None = None
    validations: int = 1

    def grid(self) -> list[dict[str, Any]]:
        return []

    def run(self, trial: optuna.Trial, *_: Any) -> list[float]:
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        return [step]


def test_how_trials_end(tmp_path: Path) -> None:
    """A failure is recorded and does not stop the others."""
    plan = Scripted([0.5, TrialFailedError("no memory"), PrunedTraining(), ValueError("odd")])
    study = create_or_join(plan, open_storage(None, tmp_path))
    with Worker(tmp_path, "w") as worker:
        run_trials(study, plan, worker, tmp_path, "cpu", threading.Event())  # type: ignore[arg-type]
    found = read_trials(study)
    assert [trial.state for trial in found] == ["complete", "failed", "pruned", "failed"]
    assert [trial.error for trial in found] == [None, "no memory", None, "ValueError: odd"]


def test_failed_trials_are_tried_again_with_their_settings_where_asked(tmp_path: Path) -> None:
    plan = Scripted([0.5, ValueError("odd"), PrunedTraining(), ValueError("odd"), ValueError("again"), 0.7, 0.8])
    study = create_or_join(plan, open_storage(None, tmp_path))
    states = []
    for _ in range(3):
        with Worker(tmp_path, "w") as worker:
            run_trials(study, plan, worker, tmp_path, "cpu", threading.Event())  # type: ignore[arg-type]
        states.append([trial.state for trial in read_trials(study)])
        failed = len(unresolved_failures(read_trials(study)))
        assert queue_failed_again(study) == (2, 1, 0)[len(states) - 1] and (failed > 0) == (len(states) < 3)
    assert states[0] == ["complete", "failed", "pruned", "failed"]
    assert states[1] == [*states[0], "failed", "complete"] and states[2] == [*states[1], "complete"]
    found = read_trials(study)
    assert found[1].params == found[4].params == found[6].params != found[3].params == found[5].params
    assert [trial.slot for trial in found] == [0, 1, 2, 3, 1, 3, 1]
    assert create_or_join(plan, open_storage(None, tmp_path)).trials[-1].number == 6, "joining adds nothing"


def test_a_stopped_workers_trial_waits_again(tmp_path: Path) -> None:
    plan = Scripted([0.5, StopRequested(), 0.6, 0.7, 0.8])
    study = create_or_join(plan, open_storage(None, tmp_path))
    with Worker(tmp_path, "w") as worker, pytest.raises(StopRequested):
        run_trials(study, plan, worker, tmp_path, "cpu", threading.Event())  # type: ignore[arg-type]
    assert [trial.state for trial in read_trials(study)] == ["complete", "waiting", "waiting", "waiting"]
    with Worker(tmp_path, "v") as worker:
        run_trials(study, plan, worker, tmp_path, "cpu", threading.Event())  # type: ignore[arg-type]
    found = read_trials(study)
    assert [trial.values for trial in found] == [(0.5,), (0.6,), (0.7,), (0.8,)]
    assert [trial.deaths for trial in found] == [0, 0, 0, 0]


def test_a_stop_comes_before_the_next_trial(tmp_path: Path) -> None:
    plan = Scripted([])
    study = create_or_join(plan, open_storage(None, tmp_path))
    stop = threading.Event()
    stop.set()
    with Worker(tmp_path, "w") as worker, pytest.raises(StopRequested):
        run_trials(study, plan, worker, tmp_path, "cpu", stop)  # type: ignore[arg-type]
    assert {trial.state for trial in read_trials(study)} == {"waiting"}
