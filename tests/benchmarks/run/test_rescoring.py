"""A metric that is added after jobs have finished."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pytest import MonkeyPatch

from benchmarks.data import Dataset, open_dataset
from benchmarks.data.label_files import write_labels
from benchmarks.metrics import METRICS
from benchmarks.metrics.catalogue import Metric
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import run_job
from benchmarks.run.rescoring import rescore_jobs
from benchmarks.store.job_folder import JobFolder

NEW = Metric("missed", "missed", "true objects", lambda table: float(table.num_truth), "min", 0.0, float("inf"))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset("synthetic-nuclei?size=64&train=1&val=1&test=2")


@pytest.fixture
def finished(dataset: Dataset, tmp_path: Path) -> JobFolder:
    job = make_job("watershed", JobContext.on(dataset, "smoke"), seed=0)
    assert run_job(job, dataset, tmp_path, "cpu").status == "done"
    return JobFolder.of(job, tmp_path)


def test_a_finished_job_gets_a_new_metric_and_keeps_its_result(
    finished: JobFolder, dataset: Dataset, monkeypatch: MonkeyPatch
) -> None:
    before, written = finished.read_result(), finished.result.read_bytes()
    assert before is not None and [one.status for one in rescore_jobs(finished.out)] == ["complete"]
    monkeypatch.setitem(METRICS, "missed", NEW)
    (one,) = rescore_jobs(finished.out)
    assert (one.status, one.added) == ("added", ("missed",))
    after = finished.read_result()
    assert after is not None and finished.result.read_bytes() == written
    counts = [len(np.unique(dataset.load(id).labels)) - 1 for id in dataset.ids("test")]  # type: ignore[arg-type]
    assert [row["missed"] for row in after.images] == counts and after.metrics["missed"] == np.mean(counts)
    assert after.scores["missed"] == dict(zip(dataset.ids("test"), counts, strict=True))
    assert {name: after.metrics[name] for name in before.metrics} == before.metrics
    assert [one.status for one in rescore_jobs(finished.out)] == ["complete"]


def test_predictions_that_are_no_longer_what_was_scored_are_refused(
    finished: JobFolder, dataset: Dataset, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, "missed", NEW)
    write_labels(finished.prediction(dataset.ids("test")[0]), np.zeros((64, 64), int))
    (one,) = rescore_jobs(finished.out)
    assert one.status == "failed" and "but result.json says" in str(one.problem)
    assert not finished.added_metrics.exists()
    finished.prediction(dataset.ids("test")[1]).unlink()
    assert rescore_jobs(finished.out)[0].status == "failed"


def test_added_metrics_of_another_job_are_not_shown(finished: JobFolder, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "missed", NEW)
    rescore_jobs(finished.out)
    content = json.loads(finished.added_metrics.read_text())
    finished.added_metrics.write_text(json.dumps(content | {"images": content["images"][:1], "seal": None}))
    with pytest.raises(ValueError, match=r"added_metrics\.json cannot be used: .* other images"):
        finished.read_result()
