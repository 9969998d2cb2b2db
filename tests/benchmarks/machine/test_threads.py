"""A job computes with its own number of threads, whoever runs it: in this process or in processes beside each other."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.machine.threads import computing_with
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.plan.scales import SCALES
from benchmarks.run.execution import Outcome, run_job
from benchmarks.run.executors.base import State
from benchmarks.run.executors.local import LocalExecutor
from benchmarks.run.scheduler import Scheduler
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.watcher import Watcher

# Large enough for torch to split its work among threads.
TRAINING = {"iterations": 4, "crop": 96, "batch_size": 4, "validate_every": 2}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset("synthetic-nuclei?size=96&train=4&val=1&test=2")


@pytest.fixture
def three_threads() -> Iterator[None]:
    """The process has another number of threads than any job here."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def job(dataset: Dataset, seed: int = 0, device: str = "cpu", scale: str = "smoke", **training: object) -> Job:
    return make_job(
        "pctrans",
        JobContext.on(dataset, scale, device=device),
        seed=seed,
        overrides={"training": TRAINING | training},
    )


def test_the_number_is_the_job_s_and_part_of_its_key(dataset: Dataset) -> None:
    assert [job(dataset, scale=scale, crop=256).training.threads for scale in SCALES] == [1, 2, 2, 2]
    assert job(dataset).key == job(dataset, threads=1).key != job(dataset, threads=2).key
    with pytest.raises(UserError, match=r"training\.threads decides the numbers on a CPU"):
        job(dataset, threads=None)
    elsewhere = job(dataset, device="cuda", precision="bfloat16")
    assert elsewhere.training.threads is None
    assert elsewhere.key == job(dataset, device="cuda", precision="bfloat16", threads=2).key


def test_threads_are_set_inside_and_as_before_afterwards(three_threads: None) -> None:
    with pytest.raises(ValueError), computing_with(2):
        assert torch.get_num_threads() == 2
        raise ValueError
    with computing_with(None):
        assert torch.get_num_threads() == 3
    assert torch.get_num_threads() == 3


class Unseen:
    def look(self, states: Mapping[str, State]) -> None: ...

    def ended(self, planned: PlannedJob, outcome: Outcome) -> None: ...


def numbers(folder: Path) -> dict[str, Any]:
    """All that a job computed, but for the clock's."""
    result = json.loads((folder / "result.json").read_text())
    curves = {
        name: [
            {column: value for column, value in row.items() if column != "seconds"}
            for row in csv.DictReader((folder / name).open())
        ]
        for name in ("losses.csv", "validation.csv")
    }
    maps = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("predictions/*.tif")}
    weights = hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()
    return {"metrics": result["metrics"], "images": result["images"], "maps": maps, "weights": weights, **curves}


def test_one_key_has_the_same_numbers_in_this_process_and_in_two_beside_each_other(
    dataset: Dataset, tmp_path: Path, three_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit; where the process has other threads, and where a user's environment says so."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    planned = [PlannedJob(1, "here and there", job(dataset, seed, threads=2)) for seed in (0, 1)]
    there = tmp_path / "there"
    Scheduler(there, LocalExecutor(there, "cpu", jobs=2), Unseen()).run(planned)
    used: list[int] = []
    for one in planned:
        watcher = Watcher(training=lambda *_: used.append(torch.get_num_threads()))
        assert run_job(one.job, dataset, tmp_path / "here", "cpu", watcher).status == "done"
        ends = [JobFolder.of(one.job, tmp_path / place).path for place in ("here", "there")]
        assert numbers(ends[0]) == numbers(ends[1])
        for folder in ends:
            assert json.loads((folder / "result.json").read_text())["environment"]["threads"] == 2
    assert set(used) == {2} and torch.get_num_threads() == 3
