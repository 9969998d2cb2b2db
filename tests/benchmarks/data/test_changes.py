"""Data that change while a command uses them are refused: no figure is of other data than its fingerprint says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.job import JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.run.execution import run_job
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.watcher import Watcher

CHANGED = "'d' or its labels changed while they were used"


@pytest.mark.parametrize("part", ["images", "labels"])
def test_what_is_loaded_is_what_the_fingerprint_is_of(folder: Path, part: str) -> None:
    dataset = open_dataset(f"folder:{folder}")
    before = dataset.fingerprint
    shutil.copy(folder / part / "a.png", folder / part / "d.png")
    with pytest.raises(UserError, match=CHANGED):
        dataset.load("d")
    assert open_dataset(f"folder:{folder}").fingerprint != before
    assert dataset.load("a").id == "a", "the others are as they were"


def test_the_fingerprint_is_of_what_was_loaded(folder: Path) -> None:
    dataset = open_dataset(f"folder:{folder}")
    dataset.load("d")
    shutil.copy(folder / "images" / "a.png", folder / "images" / "d.png")
    with pytest.raises(UserError, match=CHANGED):
        _ = dataset.fingerprint


@pytest.mark.parametrize("where", ["images", "labels"])
def test_a_job_whose_data_change_meanwhile_has_no_result(folder: Path, tmp_path: Path, where: str) -> None:
    dataset = open_dataset(f"folder:{folder}")
    job = make_job("watershed", JobContext.on(dataset, "smoke"), seed=0)
    dataset._cache = _Forgetful()  # type: ignore[assignment]  # as of data that are larger than the memory for them

    def change(done: int, total: int) -> None:
        shutil.copy(folder / where / "a.png", folder / where / "d.png")

    outcome = run_job(job, dataset, tmp_path / "out", "cpu", Watcher(prediction=change))
    assert outcome.status == "failed" and "changed while they were used" in (outcome.error or "")
    assert not JobFolder.of(job, tmp_path / "out").result.exists()


class _Forgetful:
    def get(self, id: str, read: Callable[[str], object]) -> object:
        return read(id)
