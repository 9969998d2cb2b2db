"""`pctrans-bench train --from`: what is read from the command line, and what is said before training."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import tifffile
import torch
from typer.testing import CliRunner

import pctrans.pretrained
from benchmarks.cli import app
from benchmarks.cli.starting_notes import refuse_moving_start, starting_notes
from benchmarks.data import Dataset, open_dataset
from benchmarks.data.normalisation import Range
from benchmarks.errors import UserError
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.methods import get_method
from benchmarks.plan.resolving import make_job
from benchmarks.plan.starting import StartingModel
from benchmarks.store.models.saved_model import save_model
from benchmarks.store.models.starting_model import read_starting_model

DATA = "synthetic-nuclei?size=64&train=1&val=1&test=1"


def write_model(folder: Path, spec: str = DATA, **overrides: object) -> Path:
    job = make_job("discriminative", JobContext.on(open_dataset(spec), "smoke"), seed=0, overrides=overrides)
    torch.manual_seed(7)
    save_model(get_method("discriminative").build(job.model), job, folder)
    return folder


def train(*arguments: str | Path) -> tuple[int, str]:
    options = ("--data", DATA, "--scale", "smoke", "--device", "cpu", "--set", "training.iterations=1")
    done = CliRunner().invoke(app, ["train", *map(str, arguments), *options])
    said = done.output + (str(done.exception) if done.exception else "")
    return done.exit_code, " ".join(said.split())


def test_the_method_is_that_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.tracking.Tracker", Mock())  # MLflow takes seconds to import
    monkeypatch.setattr(pctrans.pretrained, "_HERE", tmp_path / "with the package")
    write_model(tmp_path / "with the package" / "blobs")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # OUT/model is no start, though it is where a model named blobs would be
        status, said = train("--from", "blobs", "--out", "blobs")
        assert status == 0, said
    assert "This is the result of an earlier run" in said, "the same command starts from the same model"
    made = (tmp_path / "blobs" / "model").resolve()
    job = json.loads((made.parent / "job.json").read_text())
    assert job["method"] == "discriminative" and job["started_from"]["place"] == "blobs"
    assert job["label"] == "discriminative from blobs"
    assert "Started from: the weights of blobs" in (made / "README.md").read_text()


def test_a_method_that_differs_or_is_missing_is_refused(tmp_path: Path) -> None:
    status, said = train("pctrans", "--from", write_model(tmp_path / "model"), "--out", tmp_path / "out")
    assert status and "is a model of discriminative, not of pctrans" in said
    status, said = train("--out", tmp_path / "out")
    assert status and "train needs the name of a method" in said


def test_a_start_that_the_training_would_replace_is_refused(tmp_path: Path) -> None:
    trained = write_model(tmp_path / "mine" / "jobs" / "0123456789abcdef" / "model")
    (tmp_path / "mine" / "model").symlink_to(trained.relative_to(tmp_path / "mine"))
    for start in (tmp_path / "mine", tmp_path / "mine" / "model"):
        status, said = train("--from", start, "--out", tmp_path / "mine")
        assert status and "would start from its own result" in said and f"--from {trained}" in said
        refuse_moving_start(start, tmp_path / "other")
    refuse_moving_start(trained, tmp_path / "mine")


@pytest.mark.parametrize("target", ["mine", "mine/model"])
def test_links_to_a_start_that_the_training_would_replace_are_followed(tmp_path: Path, target: str) -> None:
    trained = write_model(tmp_path / "mine" / "jobs" / "0123456789abcdef" / "model")
    (tmp_path / "mine" / "model").symlink_to(trained.relative_to(tmp_path / "mine"))
    (tmp_path / "latest").symlink_to(target)
    (tmp_path / "of today").symlink_to("latest")
    for start in (tmp_path / "latest", tmp_path / "of today"):
        with pytest.raises(UserError, match=f"--from {trained}"):
            refuse_moving_start(start, tmp_path / "mine")
        refuse_moving_start(start, tmp_path / "other")
    (tmp_path / "kept").symlink_to(trained)
    refuse_moving_start(tmp_path / "kept", tmp_path / "mine")
    (tmp_path / "round").symlink_to("round")
    refuse_moving_start(tmp_path / "round", tmp_path / "mine")


def notes(start: StartingModel, dataset: Dataset, job: Job) -> str:
    return "\n".join(starting_notes(start, dataset, job))


@pytest.mark.parametrize(
    ("known", "here", "told"),
    [
        ("robust", "robust", ""),
        ("robust", "min-max", "range=robust, and DATA has range=min-max"),
        ("robust", None, "range=robust, and DATA has parts of several"),
        (None, "robust", ""),
        (None, None, ""),
    ],
)
def test_a_range_that_the_model_does_not_know_is_told(
    tmp_path: Path, known: Range | None, here: Range | None, told: str
) -> None:
    dataset = open_dataset(DATA)
    start = replace(read_starting_model(write_model(tmp_path / "model")), range=known)
    job = make_job("discriminative", JobContext.on(dataset, "smoke"), seed=0, start=start)
    dataset.range = here
    said = notes(start, dataset, job)
    assert told.replace("DATA", DATA) in said and bool(said) == bool(told)


def test_notes_say_what_the_model_does_not_know(tmp_path: Path) -> None:
    dataset = open_dataset(DATA)
    start = read_starting_model(write_model(tmp_path / "model"))

    def job(**overrides: object) -> Job:
        return make_job("discriminative", JobContext.on(dataset, "smoke"), seed=0, overrides=overrides, start=start)

    assert notes(start, dataset, job()) == "", "the same data, split, crop and range"
    crop = start.crop + 32
    said = notes(start, dataset, job(training={"crop": crop}))
    assert f"crops of {start.crop} pixels, and this training takes {crop}" in said
    assert f"--set training.crop={start.crop}" in said
    assert "tested in tiles of 64 pixels, and this training is in tiles of whole images" in notes(
        start, dataset, job(testing={"tile": "whole"})
    )


@pytest.mark.parametrize(("times", "told"), [(0.4, True), (0.6, False), (1.9, False), (2.1, True)])
def test_notes_say_that_objects_are_of_another_size(tmp_path: Path, times: float, told: bool) -> None:
    dataset = open_dataset(DATA)
    areas = np.unique(dataset.load(dataset.ids("train")[0]).labels, return_counts=True)[1][1:]
    size = float(np.median(np.sqrt(4 * areas / np.pi)))
    start = replace(read_starting_model(write_model(tmp_path / "model")), diameter=size / times)
    job = make_job("discriminative", JobContext.on(dataset, "smoke"), seed=0, start=start)
    assert (f"those of {DATA} have {size:.0f}" in notes(start, dataset, job)) == told


def test_notes_say_where_test_images_may_be_known(tmp_path: Path) -> None:
    dataset = open_dataset(DATA)
    start = read_starting_model(write_model(tmp_path / "model"))
    same = make_job("discriminative", JobContext.on(dataset, "smoke"), seed=0, start=start)
    on_validation = same.model_copy(update={"split": "val"})
    assert "the val split, which had a part in making the model" in notes(start, dataset, on_validation)
    divided = open_dataset(DATA.replace("test=1", "test=2"))
    job = make_job("discriminative", JobContext.on(divided, "smoke"), seed=0, start=start)
    assert ("with other files or splits" in notes(start, divided, job)) == (divided.name == dataset.name)


def test_a_folder_with_another_range_or_other_splits_is_told(tmp_path: Path, nuclei: Path) -> None:
    start = read_starting_model(write_model(tmp_path / "model", f"folder:{nuclei}"))
    robust = open_dataset(f"folder:{nuclei}?range=robust")
    job = make_job("discriminative", JobContext.on(robust, "smoke"), seed=0, start=start)
    said = notes(start, robust, job)
    assert "range=min-max" in said and "has range=robust" in said
    splits = {name: nuclei / "splits" / f"{name}.txt" for name in ("train", "test")}
    texts = {name: path.read_text() for name, path in splits.items()}
    splits["train"].write_text(texts["test"])
    splits["test"].write_text(texts["train"])
    divided = open_dataset(f"folder:{nuclei}")
    job = make_job("discriminative", JobContext.on(divided, "smoke"), seed=0, start=start)
    assert "must not be in the test split" in notes(start, divided, job)
    shutil.copytree(nuclei, tmp_path / "moved" / "other")
    other = open_dataset(f"folder:{tmp_path / 'moved' / 'other'}")
    job = make_job("discriminative", JobContext.on(other, "smoke"), seed=0, start=start)
    assert notes(start, other, job) == "", "nothing says that these are the same images"


@pytest.fixture
def nuclei(tmp_path: Path) -> Path:
    """A folder with an image a split."""
    root = tmp_path / "nuclei"
    for folder in ("images", "labels", "splits"):
        (root / folder).mkdir(parents=True)
    source = open_dataset(DATA)
    for split in ("train", "val", "test"):
        sample = source.load(source.ids(split)[0])
        assert sample.labels is not None
        tifffile.imwrite(root / "images" / f"{split}.tif", (sample.image[0] * 65535).astype(np.uint16))
        tifffile.imwrite(root / "labels" / f"{split}.tif", sample.labels.astype(np.uint16))
        (root / "splits" / f"{split}.txt").write_text(f"{split}.tif\n")
    return root
