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
from benchmarks.store.models.packing import pack_model
from benchmarks.store.models.saved_model import TrainingData, save_model
from benchmarks.store.models.starting_model import read_starting_model

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
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


def test_a_name_alone_is_no_sign_of_the_same_data(
    tmp_path: Path, nuclei: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists").mkdir()
    listed = tmp_path / "lists" / "nuclei.txt"
    listed.write_text(f"{DATA}\n{DATA}&seed=9\n")
    model = write_model(tmp_path / "with the package" / "blobs", f"union:{listed}")
    dataset = open_dataset(f"folder:{nuclei}")
    start = read_starting_model(model)
    assert start.weights.data == dataset.name == "nuclei"
    job = make_job("discriminative", JobContext.on(dataset, "smoke"), seed=0, start=start)
    assert notes(start, dataset, job) == "", "a union is no folder"
    monkeypatch.setattr(pctrans.pretrained, "_HERE", tmp_path / "with the package")
    own = replace(read_starting_model(Path("blobs")), spec="folder:nuclei")
    assert notes(own, dataset, job) == "", "a built-in model was not made on the user's folder"
    assert "with other files or splits" in notes(replace(start, spec="folder:nuclei"), dataset, job)


def write_described(folder: Path, dataset: Dataset) -> StartingModel:
    """A model that keeps what it was trained on, as every job does since there are parts."""
    job = make_job("discriminative", JobContext.on(dataset, "smoke"), seed=0)
    save_model(get_method("discriminative").build(job.model), job, folder, data=TrainingData.of(dataset))
    return read_starting_model(folder)


def open_joined(folder: Path) -> Dataset:
    """A union of the `nuclei` in a folder and generated images."""
    (folder / "joined.txt").write_text(f"folder:nuclei\n{DATA}&seed=9\n")
    return open_dataset(f"union:{folder}/joined.txt")


def assert_splits_are_told(start: StartingModel, dataset: Dataset, name: str) -> None:
    """Tested on the test split, the model saw no tested image; tested on the validation split, it did."""
    job = make_job(start.method, JobContext.on(dataset, "smoke"), seed=0, start=start)
    assert f"The test split of {name}, which this training is tested on, had no part in that." in notes(
        start, dataset, job
    )
    on_validation = job.model_copy(update={"split": "val"})
    assert "tested on its val split, which had a part in making the model" in notes(start, dataset, on_validation)


@pytest.fixture
def joined(tmp_path: Path, nuclei: Path) -> StartingModel:
    """A model of a union of `nuclei` and generated images."""
    dataset = open_joined(tmp_path)
    start = write_described(tmp_path / "joined", dataset)
    assert str(nuclei) not in (tmp_path / "joined" / "harness.json").read_text().replace(dataset.spec, "")
    return start


@pytest.mark.parametrize("described", [True, False])
def test_a_model_of_one_data_set_is_known_in_a_union(tmp_path: Path, nuclei: Path, described: bool) -> None:
    alone = open_dataset(f"folder:{nuclei}")
    if described:
        start = write_described(tmp_path / "model", alone)
    else:  # an older version kept the fingerprint alone
        start = read_starting_model(write_model(tmp_path / "model", alone.spec))
    assert bool(start.parts) == described
    assert_splits_are_told(start, open_joined(tmp_path), "nuclei")


def test_a_moved_copy_with_other_splits_is_known_by_content(tmp_path: Path, nuclei: Path) -> None:
    start = write_described(tmp_path / "model", open_dataset(f"folder:{nuclei}"))
    moved = shutil.copytree(nuclei, tmp_path / "elsewhere")
    (moved / "splits" / "train.txt").write_text("test.tif\n")
    (moved / "splits" / "test.txt").write_text("train.tif\n")
    dataset = open_dataset(f"folder:{moved}")
    job = make_job("discriminative", JobContext.on(dataset, "smoke"), seed=0, start=start)
    assert "tested on its train split, which had a part in making the model" in notes(start, dataset, job)


def test_the_parts_of_the_models_data_are_known_by_content(tmp_path: Path, nuclei: Path, joined: StartingModel) -> None:
    moved = shutil.copytree(nuclei, tmp_path / "elsewhere")

    def said(start: StartingModel = joined, spec: str = f"folder:{moved}", split: str = "test") -> str:
        dataset = open_dataset(spec)
        job = make_job("discriminative", JobContext.on(dataset, "smoke"), seed=0, start=start)
        return notes(start, dataset, job.model_copy(update={"split": split}))

    untouched = "The test split of nuclei, which this training is tested on, had no part in that"
    assert "trained on the train split of nuclei" in said() and f"{untouched}." in said()
    assert untouched in said(spec=f"folder:{moved}?decoding=components"), "the same files"
    fingerprint = open_dataset(f"folder:{moved}").fingerprint
    assert f"{untouched}." in said(replace(joined, before=fingerprint))
    assert f"{untouched}; whether it had one in the model that this" in said(replace(joined, before="0" * 64))
    flattering = "tested on its val split, which had a part in making the model, so its figures flatter"
    assert flattering in said(split="val")
    assert said(spec="synthetic-nuclei?size=64&train=1&val=1&test=1&seed=4") == ""
    both = tmp_path / "others.txt"
    both.write_text(f"folder:{moved}\nsynthetic-nuclei?size=64&train=1&val=1&test=1&seed=4\n")
    assert f"{untouched}." in said(spec=f"union:{both}"), "as part of another union"

    (moved / "splits" / "train.txt").write_text("test.tif\n")
    (moved / "splits" / "test.txt").write_text("train.tif\n")
    assert "tested on its train split, which had a part" in said()
    image = tifffile.imread(moved / "images" / "train.tif")
    tifffile.imwrite(moved / "images" / "train.tif", image[::-1])
    swapped = said()
    assert "made on nuclei, whose val and test images are in" in swapped
    assert "must not be among them" in swapped


def test_the_parts_of_the_models_data_are_kept_when_it_is_packed(tmp_path: Path, joined: StartingModel) -> None:
    pack_model(tmp_path / "joined", tmp_path / "small")
    assert read_starting_model(tmp_path / "small").parts == joined.parts
    assert [part.name for part in joined.parts] == ["nuclei", open_dataset(DATA).name]
    harness = tmp_path / "small" / "harness.json"
    content = json.loads(harness.read_text())
    del content["parts"][0]["splits"]["val"]
    harness.write_text(json.dumps(content))
    with pytest.raises(UserError, match="the part nuclei has no digest of the split val"):
        read_starting_model(tmp_path / "small")


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data is not here")
def test_the_built_in_model_knows_what_it_was_trained_on() -> None:
    start = read_starting_model(Path("nuclei"))
    parts = {part.name: part for part in start.parts}
    for name, kind in (("bbbc039", "bbbc039"), ("nuclei-u2os", "folder"), ("nuclei-histology", "folder")):
        dataset = open_dataset(f"{kind}:{SHARED / name}")
        assert parts[name].fingerprint == dataset.fingerprint
        assert parts[name].splits == {split: dataset.split_digest(split) for split in ("train", "val", "test")}
    assert_splits_are_told(start, open_dataset(f"bbbc039:{SHARED / 'bbbc039'}?train-share=1/8"), "bbbc039")


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
