"""Label maps made elsewhere as a row of a table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from benchmarks.data import Dataset, open_dataset, read_labels
from benchmarks.errors import UserError
from benchmarks.metrics.scoring import mean_scores, score_image
from benchmarks.plan.expansion import expand_table
from benchmarks.plan.external import External
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.tables import load_table
from benchmarks.run.execution import run_job
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.run_file import RunFile


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return open_dataset("synthetic-nuclei?size=64&train=2&val=1&test=3")


@pytest.fixture
def folder(dataset: Dataset, tmp_path: Path) -> Path:
    """Another tool's results: the truth, every object eroded from the left; and a map of no test image."""
    for id in dataset.ids("test"):
        truth = dataset.load(id).labels
        assert truth is not None
        shifted = np.where(np.roll(truth, 2, axis=1) == truth, truth, 0)
        path = tmp_path / "tool" / f"{id}.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, shifted.astype(np.uint16))
    tifffile.imwrite(tmp_path / "tool" / "other.tif", np.ones((5, 5), np.uint8))
    return tmp_path / "tool"


def make(dataset: Dataset, folder: Path, name: str = "Tool") -> Job:
    return External(name, folder).job(dataset, JobContext.on(dataset, "smoke"))


def test_they_are_scored_by_the_same_layer(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    job = make(dataset, folder)
    assert run_job(job, dataset, tmp_path / "out", "cpu", label="Tool").status == "done"
    result = json.loads((JobFolder.of(job, tmp_path / "out").path / "result.json").read_text())
    rows = []
    for id in dataset.ids("test"):
        expected = read_labels(folder / f"{id}.tif")
        assert np.array_equal(read_labels(JobFolder.of(job, tmp_path / "out").prediction(id)), expected)
        rows.append(score_image(dataset.load(id).labels, expected))  # type: ignore[arg-type]
    assert result["metrics"] == mean_scores(rows)
    assert 0 < result["metrics"]["pq"] < 1
    assert result["label"] == "Tool" and result["job"]["method"] == "external"
    cost = result["cost"]
    assert cost.pop("iterations") == cost.pop("train_seconds") == 0
    assert set(cost.values()) == {None}, "nobody knows what it cost elsewhere"


def test_the_key_follows_the_content_and_not_the_place(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    job = make(dataset, folder)
    shutil.copytree(folder, tmp_path / "moved")
    assert make(dataset, tmp_path / "moved").key == job.key
    (tmp_path / "moved" / "other.tif").unlink()  # of no image of the split
    assert make(dataset, tmp_path / "moved").key == job.key
    first = tmp_path / "moved" / f"{dataset.ids('test')[0]}.tif"
    tifffile.imwrite(first, np.zeros((64, 64), np.uint8))
    assert make(dataset, tmp_path / "moved").key != job.key


def test_a_folder_that_changes_before_it_is_scored_fails_the_job(
    dataset: Dataset, folder: Path, tmp_path: Path
) -> None:
    job = make(dataset, folder)
    tifffile.imwrite(folder / f"{dataset.ids('test')[0]}.tif", np.zeros((64, 64), np.uint8))
    outcome = run_job(job, dataset, tmp_path / "out", "cpu")
    assert outcome.status == "failed" and "has changed" in str(outcome.error)


def test_problems_are_named_before_anything_is_run(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    first = folder / f"{dataset.ids('test')[0]}.tif"
    tifffile.imwrite(first, np.zeros((64, 63), np.uint8))
    with pytest.raises(UserError, match=r"64×63 pixels, its image 64×64"):
        make(dataset, folder)
    first.unlink()
    with pytest.raises(UserError, match=f"no label map for {dataset.ids('test')[0]}"):
        make(dataset, folder)
    with pytest.raises(UserError, match="not a folder"):
        make(dataset, tmp_path / "nowhere")
    for text in ("tool", "=folder", "tool=", " =folder"):
        with pytest.raises(UserError, match="expected NAME=FOLDER"):
            External.parse(text)


def test_they_follow_the_rows_of_any_table(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    for name in ("table1", "table4"):
        table = load_table(name)
        context = JobContext.on(dataset, "smoke")
        external = [(name, External(name, folder).job(dataset, context)) for name in ("A", "B")]
        plan = expand_table(table, context, seeds=2, external=external)
        last = RunFile.of(plan).rows[-2:]
        assert [(row.row - len(table.rows), row.label, row.method) for row in last] == [
            (1, "A", "external"),
            (2, "B", "external"),
        ]
        assert len(last[0].keys) == 1, "there are no seeds to repeat it with"


def test_two_rows_of_one_name_are_refused(dataset: Dataset, folder: Path) -> None:
    for names in (["A", "A"], ["PCTrans"]):
        with pytest.raises(UserError, match=f"two rows called '{names[-1]}'"):
            context = JobContext.on(dataset, "smoke")
            external = [(name, External(name, folder).job(dataset, context)) for name in names]
            expand_table(load_table("table1"), context, seeds=1, external=external)


def test_outlines_are_scored_as_the_label_maps_that_they_are_of(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    """Each format by itself, and the key does not follow the place of a COCO file."""
    ids = dataset.ids("test")
    expected = {id: read_labels(folder / f"{id}.tif") for id in ids}
    made = {name: tmp_path / name for name in ("seg", "masks")}
    for path in made.values():
        path.mkdir()
    images, annotations = [], []
    for number, id in enumerate(ids):
        np.save(made["seg"] / f"{id}_seg.npy", {"masks": expected[id]}, allow_pickle=True)  # type: ignore[arg-type]
        tifffile.imwrite(made["masks"] / f"{id}.tif", np.full((64, 64), 9, np.uint8))  # the image, as Cellpose has it
        tifffile.imwrite(made["masks"] / f"{id}_cp_masks.tif", expected[id].astype(np.uint16))
        images.append({"id": number, "file_name": f"{id}.png", "height": 64, "width": 64})
        for one in np.unique(expected[id][expected[id] > 0]):
            runs = np.diff(np.flatnonzero(np.diff(np.r_[2, (expected[id] == one).T.ravel(), 2]))).tolist()
            segmentation = {"size": [64, 64], "counts": runs if expected[id][0, 0] != one else [0, *runs]}
            annotations.append({"id": len(annotations), "image_id": number, "segmentation": segmentation})
    made["coco.json"] = tmp_path / "coco.json"
    made["coco.json"].write_text(json.dumps({"images": images, "annotations": annotations}))
    scores = {}
    for name, path in {"plain": folder, **made}.items():
        external = External(name, path)
        job = external.job(dataset, JobContext.on(dataset, "smoke"))
        assert run_job(job, dataset, tmp_path / "out", "cpu").status == "done"
        scores[name] = json.loads((JobFolder.of(job, tmp_path / "out").path / "result.json").read_text())["metrics"]
        assert [note.partition(": ")[2][:8] for note in external.notes] == (["3 images"] if name == "masks" else [])
    assert all(found == scores["plain"] for found in scores.values())
    shutil.copy(tmp_path / "coco.json", tmp_path / "moved.json")
    keys = [make(dataset, tmp_path / name, "COCO").key for name in ("coco.json", "moved.json")]
    assert keys[0] == keys[1]


def test_what_is_lost_of_overlapping_outlines_is_said(dataset: Dataset, tmp_path: Path) -> None:
    boxes = [[0, 0, 20, 0, 20, 20, 0, 20], [5, 5, 9, 5, 9, 9, 5, 9], [60, 60, 90, 60, 90, 90, 60, 90]]
    images = [{"id": number, "file_name": id} for number, id in enumerate(dataset.ids("test"))]
    annotations = [{"id": i, "image_id": 0, "segmentation": [box]} for i, box in enumerate(boxes)]
    (tmp_path / "x.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    external = External("Tool", tmp_path / "x.json")
    external.job(dataset, JobContext.on(dataset, "smoke"))
    (note,) = external.notes
    assert "16 pixels that several objects claim" in note and "1 objects that reach beyond the image" in note
