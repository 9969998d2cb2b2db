"""A job that several processes train has the numbers of one that is trained alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.plan.settings import TrainingSettings
from benchmarks.run.execution import run_job
from benchmarks.run.training import check_processes
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.batches import BatchSource, slots_of_process
from benchmarks.training.watcher import Watcher


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset("synthetic-nuclei?size=96&train=3&val=1&test=2")


def job(dataset: Dataset, method: str = "pctrans", **training: object) -> Job:
    return make_job(
        method,
        JobContext.on(dataset, "smoke"),
        seed=0,
        overrides={"training": training},
    )


def test_batches_that_cannot_be_shared_evenly_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"batch_size 4 cannot be shared by 3 processes"):
        run_job(job(dataset, batch_size=4), dataset, tmp_path, "cpu", processes=3)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match=r"micro_batch_size 2 cannot be shared by 4 processes"):
        check_processes(job(dataset, batch_size=8, micro_batch_size=2), "cpu", 4)
    check_processes(job(dataset, batch_size=8, micro_batch_size=4), "cpu", 4)
    check_processes(job(dataset, "watershed"), "cpu", 3)  # has no batches


def test_every_process_needs_a_device(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"2 processes .* but 1 are visible"):
        check_processes(job(dataset), "cuda", 2)
    with pytest.raises(UserError, match=r"'cuda:1' is one device, but 2 processes"):
        check_processes(job(dataset), "cuda:1", 2)
    check_processes(job(dataset), "cuda:1", 1)


def test_processes_take_slices_of_every_micro_batch() -> None:
    whole = TrainingSettings(batch_size=8)
    assert [slots_of_process(whole, rank, 2) for rank in (0, 1)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    cut = TrainingSettings(batch_size=8, micro_batch_size=4)
    assert [slots_of_process(cut, rank, 2) for rank in (0, 1)] == [[0, 1, 4, 5], [2, 3, 6, 7]]
    assert slots_of_process(cut, 0, 1) == list(range(8))


def test_the_slices_of_a_batch_are_the_batch(dataset: Dataset) -> None:
    planned = job(dataset, batch_size=4)
    whole = BatchSource.of_job(planned, dataset)
    slices = [BatchSource.of_job(planned, dataset, slots=slots_of_process(planned.training, r, 2)) for r in (0, 1)]
    first, second = (source.batch(5) for source in slices)
    assert first.ids + second.ids == whole.batch(5).ids
    assert torch.equal(torch.cat((first.images, second.images)), whole.batch(5).images)
    assert slices[1].epoch(3) == whole.epoch(3)


def losses(folder: Path) -> list[dict[str, float]]:
    rows = csv.DictReader((folder / "losses.csv").open())
    return [{name: float(value) for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def done(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The folder of a job by the number of processes that trained it."""
    folders = {}
    for processes in (1, 2):
        out = tmp_path_factory.mktemp(f"by{processes}")
        seen: list[str] = []
        watcher = Watcher(
            training=lambda *_, s=seen: s.append("training"),
            validation=lambda *_, s=seen: s.append("validation"),
            saved=lambda *_, s=seen: s.append("saved"),
        )
        assert run_job(job(dataset), dataset, out, "cpu", watcher, processes=processes).status == "done"
        step = ["training"]
        assert seen == (step * 3 + ["validation", "saved"]) * 2 + ["saved"]
        folders[processes] = JobFolder.of(job(dataset), out).path
    return folders


@pytest.mark.slow
def test_two_processes_bring_a_job_to_the_same_result(done: dict[int, Path]) -> None:
    alone, together = losses(done[1]), losses(done[2])
    for expected, actual in zip(alone, together, strict=True):
        assert actual == pytest.approx(expected, rel=1e-3)
    assert together[0] == pytest.approx(alone[0], rel=1e-5)
    results = [json.loads((done[n] / "result.json").read_text()) for n in (1, 2)]
    assert results[0]["key"] == results[1]["key"]
    assert results[1]["metrics"] == pytest.approx(results[0]["metrics"], abs=0.05)
    assert [result["environment"]["processes"] for result in results] == [1, 2]
    assert json.loads((done[2] / "environment.json").read_text())["processes"] == 2
    assert results[1]["cost"]["iterations"] == 6 and results[1]["cost"]["peak_memory_bytes"] > 2**26
    names = [{str(path.relative_to(done[n])) for path in done[n].rglob("*")} for n in (1, 2)]
    assert names[0] == names[1]
    states = [torch.load(done[n] / "checkpoint.pt", weights_only=True) for n in (1, 2)]
    assert states[0]["model"].keys() == states[1]["model"].keys()


@pytest.mark.slow
def test_a_killed_job_goes_on_where_it_was(dataset: Dataset, done: dict[int, Path], tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def die(iteration: int, *_: object) -> None:
        if iteration == 5:
            raise Killed

    with pytest.raises(Killed):
        run_job(job(dataset), dataset, tmp_path, "cpu", Watcher(training=die), processes=2)
    folder = JobFolder.of(job(dataset), tmp_path).path
    assert torch.load(folder / "checkpoint.pt", weights_only=True)["iteration"] in (4, 6)
    assert run_job(job(dataset), dataset, tmp_path, "cpu", processes=2).status == "done"
    assert losses(folder) == losses(done[2])
    assert run_job(job(dataset), dataset, tmp_path, "cpu", processes=2).status == "cached"


@pytest.mark.slow
def test_one_process_goes_on_where_two_stopped(dataset: Dataset, done: dict[int, Path], tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        run_job(job(dataset), dataset, tmp_path, "cpu", Watcher(validation=die), processes=2)
    assert run_job(job(dataset), dataset, tmp_path, "cpu").status == "done"
    for expected, actual in zip(losses(done[1]), losses(JobFolder.of(job(dataset), tmp_path).path), strict=True):
        assert actual == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_all_with_one_error(dataset: Dataset, tmp_path: Path) -> None:
    planned = job(dataset, learning_rate=1e30, gradient_norm=None)
    outcome = run_job(planned, dataset, tmp_path, "cpu", processes=2)
    assert outcome.status == "failed" and "not finite at iteration 2" in str(outcome.error)
    error = json.loads((JobFolder.of(planned, tmp_path).path / "error.json").read_text())
    assert error["type"] == "NonFiniteLossError"
    assert all(id in error["message"] for id in BatchSource.of_job(planned, dataset).batch(1).ids)
    assert "not_finite" in error["traceback"]
    assert not (JobFolder.of(planned, tmp_path).path / "result.json").exists()
