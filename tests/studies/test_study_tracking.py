"""What MLflow is told of a study."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient

from studies.plan import TrainingPlan
from studies.records import State, TrialRecord
from studies.tracking import StudyTracker


def record(
    number: int, state: State, *, values: tuple[float, ...] = (), key: str | None = None, error: str | None = None
) -> TrialRecord:
    params = {"training.learning_rate": 0.001 * (number + 1)}
    return TrialRecord(
        number, state, params, values, None, 1.0, key, False, {}, {}, error, 0, number, "w",
    )  # fmt: skip


def test_a_run_a_study_and_below_it_one_a_trial_pruned_and_failed_ones_marked(
    tmp_path: Path, make_plan: Callable[..., TrainingPlan]
) -> None:
    plan = make_plan()
    folder = tmp_path / "jobs" / "abc"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"label": "stopped", "seed": 0, "method": "pctrans", "key": "abc"}))
    running = record(3, "running", key="abc")
    ended = [
        record(0, "complete", values=(0.5,)),
        record(1, "pruned", key="abc"),
        record(2, "failed", error="RuntimeError: no memory"),
    ]
    for _ in range(2):  # the second command continues what the first one told
        tracker = StudyTracker(plan, tmp_path, None)
        tracker.start()
        tracker.look([*ended, running])
        tracker.look([*ended, running])
        tracker.finish(ended, [], failed=True)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("pctrans-bench")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"study tiny", "trial 0", "stopped, seed 0", "trial 2"}
    parent = runs["study tiny"]
    assert parent.info.status == "FAILED" and parent.data.params["scale"] == "smoke"
    assert parent.data.metrics == {"study/best_validation_pq": 0.5} and parent.data.tags["optuna.best_trial"] == "0"
    assert parent.data.tags["optuna.best_settings"] == "training.learning_rate=0.001"
    for name, state, status in (
        ("trial 0", "complete", "FINISHED"),
        ("stopped, seed 0", "pruned", "KILLED"),
        ("trial 2", "failed", "FAILED"),
    ):
        run = runs[name]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert (run.data.tags["optuna.state"], run.info.status) == (state, status)
    assert runs["trial 0"].data.metrics == {"study/validation_pq": 0.5}
    assert runs["trial 0"].data.params == {"training.learning_rate": "0.001"}
    assert runs["trial 2"].data.tags["mlflow.note.content"] == "RuntimeError: no memory"
