"""MLflow's pages of a table: what they are told to show is there, and they still ask for it in the same words."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import mlflow
import pytest
from mlflow import MlflowClient
from tracked import TABLE, write_job

from benchmarks.tracking import Tracker
from benchmarks.tracking.addresses import default_uri
from benchmarks.tracking.views import KEY, SHARED, save_views


@pytest.fixture
def tracked(out: Path) -> Path:
    """Table 4 was run twice; each has a job of its own."""
    (out / "runs").mkdir()
    for name in ("table4", "table5"):
        (out / "runs" / f"{name}.json").write_text("{}", encoding="utf-8")
    tracker = Tracker(out)
    for seeds in ([0], [0, 1]):
        tracker.start_table("table4", TABLE | {"seeds": seeds})
        assert tracker.sync(write_job(out, f"{len(seeds)}" * 16))
    return out


def test_a_view_shows_the_jobs_of_the_latest_run_with_the_metrics_of_the_table(tracked: Path) -> None:
    client = MlflowClient(default_uri(tracked))
    experiment = client.get_experiment_by_name("pctrans-bench").experiment_id
    pages = save_views(client, experiment, tracked)
    assert list(pages) == ["table4"], "MLflow knows nothing of table 5"
    page = urlsplit(pages["table4"])
    assert page.path == f"/experiments/{experiment}/runs"
    (key,) = parse_qs(page.query)[KEY]
    state = json.loads(client.get_experiment(experiment).tags[SHARED + key])
    (job,) = client.search_runs([experiment], state["searchFilter"])
    assert job.data.tags["pctrans_bench.key"] == "2" * 16
    assert state["selectedColumns"] == [f"metrics.`test/{name}`" for name in ("aji", "dice", "f1", "pq")]
    assert state["orderByKey"] == "metrics.`test/pq`" and "test/pq" in job.data.metrics
    assert save_views(client, experiment, tracked) == pages


def test_the_pages_of_this_mlflow_know_such_views() -> None:
    """They are compiled: an upgrade that calls them otherwise would show the runs without metrics, and say nothing."""
    scripts = Path(mlflow.__file__).parent.joinpath("server/js/build/static/js").glob("*.js")
    wanted = {f'"{KEY}"', f'"{SHARED}"', '"selectedColumns"'}
    for script in scripts:
        text = script.read_text(encoding="utf-8", errors="replace")
        wanted = {word for word in wanted if word not in text}
        if not wanted:
            return
    raise AssertionError(f"not in MLflow's pages: {wanted}")
