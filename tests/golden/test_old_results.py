"""A results folder of an earlier version is read, reported, listed and added to by this one.

`results/` was made at commit 0ea1eda (2026-11-25, before the house was rebuilt) by

    pctrans-bench run table4 --data synthetic-nuclei --scale smoke --seeds 2 --rows 1,8 --device cpu --jobs 1

less models and predictions; two of its four jobs are kept.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.plan.job import parse_job
from benchmarks.store.documents import write_document
from benchmarks.store.job_folder import JobFolder, all_job_folders
from benchmarks.store.run_file import read_run
from reports.collect import collect

RESULTS = Path(__file__).with_name("results")
KEYS = [path.name for path in sorted((RESULTS / "jobs").iterdir())]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RESULTS, tmp_path / "out"))


@pytest.mark.parametrize("key", KEYS)
def test_every_entry_of_a_result_is_read_and_written_back(key: str, out: Path) -> None:
    folder = JobFolder.named(key, out)
    before, result = json.loads(folder.result.read_text()), folder.read_result()
    assert result is not None and folder.state == "done"
    write_document(folder.result, result)
    assert json.loads(folder.result.read_text()) == before
    assert list(json.loads(folder.result.read_text())) == list(before), "in the same order"


def test_its_jobs_are_jobs(out: Path) -> None:
    for folder in all_job_folders(out):
        job, resolved = folder.read_job(), json.loads(folder.description.read_text())
        assert job.resolved() | {"key": folder.key, "label": resolved["label"]} == resolved
        assert parse_job(resolved) == job


def test_its_run_and_its_table_are_read(out: Path) -> None:
    run = read_run(out, "table4")
    assert run is not None and run.scale == "smoke" and set(KEYS) < set(run.jobs)
    results = collect(out, "table4")
    assert {result.key for result in results.results} == set(KEYS)
    by_key = {key: json.loads((out / "jobs" / key / "result.json").read_text())["metrics"] for key in KEYS}
    assert {result.key: dict(result.metrics) for result in results.results} == by_key


def test_it_is_listed_and_reported(out: Path) -> None:
    listed = CliRunner().invoke(app, ["list", "runs", "--out", str(out)])
    assert listed.exit_code == 0 and listed.output.count("done") == len(KEYS)
    reported = CliRunner().invoke(app, ["report", "table4", "--out", str(out)])
    assert reported.exit_code == 0, reported.output
    assert (out / "reports" / "table4.md").read_text().count("not run") > 4
