"""A job that is asked to stop saves where it is, and goes on from there as if nothing had happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.data import open_dataset
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.run.executors.ending import ExitStatus
from benchmarks.run.planned import OpenDatasets, run_planned
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.progress import read_progress
from benchmarks.store.request import write_request
from benchmarks.training.curves import read_curve
from benchmarks.training.watcher import StopRequested, Watcher

DATASET = open_dataset("synthetic-nuclei?size=64&train=2&val=1&test=1")


def plan(method: str = "pctrans", **training: object) -> PlannedJob:
    job = make_job(
        method,
        JobContext.on(DATASET, "smoke"),
        seed=0,
        overrides={"training": training} if training else {},
    )
    return PlannedJob(1, method, job)


def outcome_of(planned: PlannedJob, out: Path, watcher: Watcher) -> str:
    return run_planned(planned, OpenDatasets([DATASET]), out, "cpu", watcher).status


def test_it_stops_after_the_iteration_and_ends_in_the_same_numbers(tmp_path: Path) -> None:
    planned = plan(iterations=5, checkpoint_every=100, validate_every=100, log_every=1)
    assert outcome_of(planned, tmp_path / "undisturbed", Watcher()) == "done"

    folder = JobFolder.of(planned.job, tmp_path / "stopped").path
    wishes = iter([False, False, True])
    with pytest.raises(StopRequested, match="iteration 3"):
        outcome_of(planned, tmp_path / "stopped", Watcher(stopping=lambda: next(wishes)))
    assert torch.load(folder / "checkpoint.pt", weights_only=True)["iteration"] == 3
    assert not (folder / "error.json").exists() and not (folder / "result.json").exists()
    progress = read_progress(JobFolder(folder))
    assert progress is not None and progress.total == 5

    assert outcome_of(planned, tmp_path / "stopped", Watcher()) == "done"
    assert not JobFolder(folder).progress.exists()
    ends = [JobFolder.of(planned.job, tmp_path / name).path for name in ("undisturbed", "stopped")]
    assert [row["loss"] for row in read_curve(ends[0] / "losses.csv")] == [
        row["loss"] for row in read_curve(ends[1] / "losses.csv")
    ]
    images = [json.loads((end / "result.json").read_text())["images"] for end in ends]
    assert images[0] == images[1]


def test_a_wish_in_the_last_iteration_is_not_needed(tmp_path: Path) -> None:
    planned = plan(iterations=1)
    assert outcome_of(planned, tmp_path, Watcher(stopping=lambda: True)) == "done"


def worker(folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """The real process; its input stays open."""
    reading, writing = os.pipe()
    try:
        command = [sys.executable, "-m", "benchmarks.run.worker", str(folder)]
        return subprocess.run(command, stdin=reading, capture_output=True, text=True, timeout=300)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_worker_brings_a_job_to_its_result(tmp_path: Path) -> None:
    folder = write_request(plan("watershed"), tmp_path).path
    done = worker(folder)
    assert done.returncode == ExitStatus.DONE, done.stderr
    assert json.loads((folder / "result.json").read_text())["label"] == "watershed"
    assert done.stdout.splitlines()[-1] == "done"


def test_a_worker_without_data_leaves_an_error(tmp_path: Path) -> None:
    planned = plan("watershed")
    gone = planned.job.data.model_copy(update={"spec": f"folder:{tmp_path / 'gone'}"})
    folder = write_request(PlannedJob(1, "x", planned.job.model_copy(update={"data": gone})), tmp_path).path
    done = worker(folder)
    assert done.returncode == ExitStatus.FAILED
    error = json.loads((folder / "error.json").read_text())
    assert error["type"] == "UserError" and str(tmp_path / "gone") in error["message"]
    assert (folder / "job.json").exists()
