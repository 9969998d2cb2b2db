"""From a job to its result: what is on disk, what happens twice, what a failure leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.machine.environment import choose_device, peak_memory_bytes, reset_peak_memory
from benchmarks.metrics.scoring import mean_scores
from benchmarks.plan.expansion import expand_table
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.resolving import make_job
from benchmarks.plan.tables import load_table
from benchmarks.predicting.input_images import find_images
from benchmarks.predicting.options import PredictOptions
from benchmarks.predicting.user_images import predict_images
from benchmarks.run.execution import run_job
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model
from benchmarks.store.scores import score_folders
from benchmarks.training.watcher import Watcher

SPEC = "synthetic-nuclei?size=96&train=3&val=1&test=2"


def smoke_job(dataset: Dataset, **overrides: dict) -> Job:
    return make_job(
        "pctrans",
        JobContext.on(dataset, "smoke"),
        seed=0,
        overrides=overrides,
    )


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset(SPEC)


@pytest.fixture(scope="module")
def done(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Path]:
    out = tmp_path_factory.mktemp("out")
    job = smoke_job(dataset)
    seen: list[Path] = []
    assert run_job(job, dataset, out, "cpu", Watcher(saved=seen.append)).status == "done"
    assert len(seen) >= 2  # at a validation and at the end
    return job, JobFolder.of(job, out).path


def test_the_folder_holds_what_the_schema_says(done: tuple[Job, Path], dataset: Dataset) -> None:
    job, folder = done
    result = json.loads((folder / "result.json").read_text())
    assert result["schema"] == 1 and result["key"] == job.key == folder.name
    assert result["job"] == job.resolved()
    assert json.loads((folder / "job.json").read_text()) == {"label": "pctrans", **job.resolved()}
    assert result["dataset"]["fingerprint"] == dataset.fingerprint
    assert result["dataset"]["images"] == len(result["images"]) == 2
    assert result["metrics"] == mean_scores(result["images"])
    cost = result["cost"]
    assert cost["iterations"] == 6 and cost["parameters"] > 1000
    assert min(cost["train_seconds"], cost["seconds_per_image"], cost["peak_memory_bytes"]) > 0
    assert result["environment"]["torch"] == torch.__version__
    for name in (
        "losses.csv",
        "validation.csv",
        "metrics.csv",
        "environment.json",
        "model/model.safetensors",
    ):
        assert (folder / name).stat().st_size > 0
    assert len(list((folder / "overlays").glob("*.png"))) == 2


def test_a_finished_job_is_not_run_again(done: tuple[Job, Path], dataset: Dataset) -> None:
    job, folder = done
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert run_job(job, dataset, folder.parents[1], "cpu").status == "cached"
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert {p.name for p in after if after[p] != before.get(p)} <= {"lock"}


def test_the_same_job_gives_the_same_numbers(done: tuple[Job, Path], dataset: Dataset, tmp_path: Path) -> None:
    job, folder = done
    run_job(job, dataset, tmp_path, "cpu")
    results = [json.loads((f / "result.json").read_text()) for f in (folder, JobFolder.of(job, tmp_path).path)]
    assert results[0]["images"] == results[1]["images"]


def test_predicting_with_the_saved_model_and_scoring_give_the_job_s_figures(
    done: tuple[Job, Path], dataset: Dataset, tmp_path: Path
) -> None:
    import tifffile

    _, folder = done
    for id in dataset.ids("test"):
        stored = dataset.read(id)
        for name, array in (("images", stored.image), ("truth", stored.labels)):
            (tmp_path / name).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / name / f"{id}.tif", array)
    images = find_images([str(tmp_path / "images")])
    counts = [one.objects for one in predict_images(folder, images, tmp_path / "out", device="cpu")]
    rows, _ = score_folders(tmp_path / "truth", tmp_path / "out" / "labels")
    result = json.loads((folder / "result.json").read_text())
    assert mean_scores(rows) == result["metrics"]
    assert counts == [row["predicted"] for row in result["images"]]
    assert (tmp_path / "out" / "objects.csv").read_text().startswith("image,label,")


def test_predicting_continues_and_refuses_other_options(
    done: tuple[Job, Path], dataset: Dataset, tmp_path: Path
) -> None:
    import tifffile

    (tmp_path / "images").mkdir()
    for id in dataset.ids("test"):
        tifffile.imwrite(tmp_path / "images" / f"{id}.tif", dataset.read(id).image)
    images = find_images([str(tmp_path / "images")])

    def predict(min_size: int = 0, overwrite: bool = False) -> list[int]:
        options = PredictOptions(min_size=min_size)
        found = predict_images(done[1], images, tmp_path / "out", device="cpu", options=options, overwrite=overwrite)
        return [one.objects for one in found]

    first = next(predict_images(done[1], images, tmp_path / "out", device="cpu")).objects
    label = tmp_path / "out" / "labels" / f"{images[0].stem}.tif"
    stamp = label.stat().st_mtime_ns
    assert predict()[0] == first and label.stat().st_mtime_ns == stamp
    assert (tmp_path / "out" / "objects.csv").exists()
    with pytest.raises(UserError, match="not made with this model and these options"):
        predict(min_size=30)
    predict(min_size=30, overwrite=True)
    assert label.stat().st_mtime_ns != stamp


def test_prediction_uses_the_precision_of_the_job(done: tuple[Job, Path]) -> None:
    assert load_model(done[1], "cpu").precision == "float32"


def test_a_job_stopped_between_training_and_scoring_goes_on(
    dataset: Dataset, tmp_path: Path, done: tuple[Job, Path]
) -> None:
    job, finished = done

    class Killed(BaseException):
        pass

    def die(index: int, total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        run_job(job, dataset, tmp_path, "cpu", Watcher(prediction=die))
    folder = JobFolder.of(job, tmp_path).path
    assert not (folder / "result.json").exists() and len(list(folder.glob("predictions/*.tif"))) == 1
    assert run_job(job, dataset, tmp_path, "cpu").status == "done"
    results = [json.loads((f / "result.json").read_text()) for f in (finished, folder)]
    assert results[0]["images"] == results[1]["images"]


def test_a_failure_leaves_its_error_and_no_result(dataset: Dataset, tmp_path: Path) -> None:
    job = smoke_job(dataset, training={"learning_rate": 1e30, "gradient_norm": None})
    outcome = run_job(job, dataset, tmp_path, "cpu")
    assert outcome.status == "failed" and "not finite" in str(outcome.error)
    folder = JobFolder.of(job, tmp_path).path
    error = json.loads((folder / "error.json").read_text())
    assert error["type"] == "NonFiniteLossError" and "Traceback" in error["traceback"]
    assert not (folder / "result.json").exists()


def test_a_job_that_another_process_runs_is_busy(dataset: Dataset, tmp_path: Path) -> None:
    import fcntl

    job = smoke_job(dataset)
    JobFolder.of(job, tmp_path).path.mkdir(parents=True)
    with (JobFolder.of(job, tmp_path).path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run_job(job, dataset, tmp_path, "cpu").status == "busy"


def test_a_saved_model_knows_how_it_was_tested(done: tuple[Job, Path]) -> None:
    job, folder = done
    saved = load_model(folder, "cpu")
    assert (saved.method, saved.tile, saved.testing) == ("pctrans", 64, job.testing)
    with pytest.raises(UserError, match="holds no model"):
        load_model(folder / "predictions", "cpu")


def test_a_damaged_model_is_named(done: tuple[Job, Path], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(done[1] / "model", tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot be loaded"):
        load_model(tmp_path, "cpu")


def test_devices() -> None:
    assert choose_device("cpu") == "cpu"
    with pytest.raises(UserError, match="'warp' cannot be used"):
        choose_device("warp")


def test_peak_memory_follows_the_peak() -> None:
    reset_peak_memory("cpu")
    before = peak_memory_bytes("cpu")
    block = torch.ones(64, 2**20)  # 256 MiB
    assert peak_memory_bytes("cpu") - before > 0.8 * block.numel() * 4


def test_leaves_are_tested_as_leaves(dataset: Dataset) -> None:
    rosettes = open_dataset("synthetic-rosettes?size=64&train=1&val=1&test=1")
    table = load_table("table4")
    protocols = [
        expand_table(table, JobContext.on(d, "smoke"), seeds=1).jobs[0].job.protocol for d in (dataset, rosettes)
    ]
    assert protocols == ["nuclei", "leaves"]
    assert (
        expand_table(table, JobContext.on(dataset, scale="smoke", protocol="leaves"), seeds=1).jobs[0].job.protocol
        == "leaves"
    )
