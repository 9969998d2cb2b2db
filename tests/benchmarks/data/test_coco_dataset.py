"""`coco:PATH`: splits by file and by list, and the same data as a folder of label maps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SPLIT_OF, small_labels
from pycocotools import mask as official

from benchmarks.data import check_dataset, open_dataset
from benchmarks.errors import UserError


def described(stems: list[str], **more: Any) -> dict[str, Any]:
    """The labels of `small_labels` as COCO's run lengths; the object with the id 7 is debris."""
    images, annotations = [], []
    for number, stem in enumerate(stems):
        labels = small_labels([*SPLIT_OF].index(stem))
        images.append({"id": number, "file_name": f"some/where/{stem}.jpg", "height": 20, "width": 24})
        for id in np.unique(labels[labels > 0]).tolist():
            encoded = official.encode(np.asfortranarray((labels == id).astype(np.uint8)))
            segmentation = {"size": encoded["size"], "counts": encoded["counts"].decode()}
            category = 2 if id == 7 else 1
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": category, "segmentation": segmentation}
            )
    categories = [{"id": 1, "name": "cell"}, {"id": 2, "name": "debris"}]
    return {"images": images, "annotations": annotations, "categories": categories, **more}


@pytest.fixture
def coco(folder: Path, tmp_path: Path) -> Path:
    """The images of `folder`, with a JSON for each split."""
    root = tmp_path / "coco"
    shutil.copytree(folder / "images", root / "images")
    (root / "annotations").mkdir()
    for split in ("train", "val", "test"):
        stems = [stem for stem, own in SPLIT_OF.items() if own == split]
        (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(described(stems)))
    return root


def test_it_is_the_same_as_a_folder_of_label_maps(coco: Path, folder: Path) -> None:
    dataset, other = open_dataset(f"coco:{coco}"), open_dataset(f"folder:{folder}")
    assert (dataset.name, dataset.normalisation) == ("coco", other.normalisation)
    for split in ("train", "val", "test"):
        assert dataset.ids(split) == other.ids(split)
        for id in dataset.ids(split):
            sample, expected = dataset.load(id), other.load(id)
            np.testing.assert_array_equal(sample.image, expected.image)
            ids = np.unique(expected.labels[expected.labels > 0])  # type: ignore[index]
            np.testing.assert_array_equal(sample.labels, np.searchsorted([0, *ids], expected.labels))  # type: ignore[arg-type]
    report = check_dataset(dataset)
    assert report.problems == [] and report.fingerprint == dataset.fingerprint
    assert any("objects of 2 categories are read as one kind: cell, debris" in note for note in report.notes)


def test_splits_may_be_lists_of_images_of_one_file(coco: Path, folder: Path) -> None:
    before = open_dataset(f"coco:{coco}")
    shutil.rmtree(coco / "annotations")
    (coco / "all.json").write_text(json.dumps(described([*SPLIT_OF])))
    shutil.copytree(folder / "splits", coco / "splits")
    (coco / "splits" / "train.txt").write_text("a.jpg\n")
    dataset = open_dataset(f"coco:{coco}")
    assert [dataset.ids(split) for split in ("train", "val", "test")] == [("a",), ("c.1",), ("d",)]
    np.testing.assert_array_equal(dataset.load("d").labels, before.load("d").labels)
    assert any("1 images are in no split" in note for note in dataset.notes)


def test_the_fingerprint_follows_the_objects_and_not_their_files(coco: Path) -> None:
    before = open_dataset(f"coco:{coco}").fingerprint
    path = coco / "annotations" / "instances_test2017.json"
    path.write_text(json.dumps(described(["d"], info={"year": 2026}), indent=3))
    path.rename(path.with_name("test.json"))
    assert open_dataset(f"coco:{coco}").fingerprint == before
    chosen = open_dataset(f"coco:{coco}?category=cell")
    assert chosen.fingerprint != before and chosen.load("d").labels.max() == 2  # type: ignore[union-attr]
    assert open_dataset(f"coco:{coco}?category=cell,debris").fingerprint == before
    assert open_dataset(f"coco:{coco}?range=robust").fingerprint != before


def test_folders_of_the_splits_hold_images_and_json_as_roboflow_writes_them(coco: Path) -> None:
    before = open_dataset(f"coco:{coco}")
    fingerprint = before.fingerprint
    for split, folder in (("train", "train"), ("val", "valid"), ("test", "test")):
        (coco / folder).mkdir()
        for id in before.ids(split):
            (coco / "images" / f"{id}.png").rename(coco / folder / f"{id}.png")
        json_of_split = coco / "annotations" / f"instances_{split}2017.json"
        json_of_split.rename(coco / folder / "_annotations.coco.json")
    (coco / "images").rmdir()
    (coco / "annotations").rmdir()
    assert open_dataset(f"coco:{coco}").fingerprint == fingerprint
    (coco / "images").mkdir()
    (coco / "valid").rename(coco / "images" / "val2017")
    (coco / "annotations").mkdir()
    for folder in ("train", "test", "images/val2017"):
        name = f"{Path(folder).name}.json"
        (coco / folder / "_annotations.coco.json").rename(coco / "annotations" / name)
    for folder in ("train", "test"):
        (coco / folder).rename(coco / "images" / folder)
    dataset = open_dataset(f"coco:{coco}")
    assert dataset.fingerprint == fingerprint
    assert not any("no format" in note for note in dataset.notes)


def test_captions_and_keypoints_of_a_split_are_left_alone(coco: Path) -> None:
    (coco / "annotations" / "captions_val2017.json").write_text("{}")
    assert open_dataset(f"coco:{coco}").ids("val") == ("c.1",)


def spoiled(name: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        path = root / "annotations" / f"instances_{name}2017.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda root: shutil.rmtree(root / "images"),
            "has no folder images/, nor folders of the splits such as train/; expected images/",
        ),
        (
            lambda root: (root / "annotations" / "instances_val2017.json").unlink(),
            "0 JSON files are of the split 'val'",
        ),
        (
            lambda root: shutil.copy(
                root / "annotations/instances_val2017.json", root / "annotations/instances_valid.json"
            ),
            "2 JSON files are of the split 'val'",
        ),
        (lambda root: (root / "images" / "d.png").unlink(), "names 'd', but .*coco has no image of that stem"),
        (
            spoiled("val", lambda content: content["images"].append({"id": 9, "file_name": "d.png"})),
            "is of the same image 'd'; an image has one truth",
        ),
        (spoiled("val", lambda content: content.update(images=[], annotations=[])), "the split 'val' is empty"),
    ],
)
def test_layouts_that_do_not_say_what_is_what_are_refused(coco: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(coco)
    with pytest.raises(UserError, match=said):
        open_dataset(f"coco:{coco}")


def test_images_of_another_size_than_the_json_says_are_problems(coco: Path) -> None:
    spoiled("test", lambda content: content["images"][0].update(height=24, width=20))(coco)
    report = check_dataset(open_dataset(f"coco:{coco}"))
    (problem,) = report.problems
    assert "image d: the JSON says 24 x 20 pixels (height x width), but the image has 20 x 24" in problem


def test_unknown_categories_and_options_are_refused(coco: Path) -> None:
    with pytest.raises(UserError, match="no category 'nuclei'; its categories: cell, debris"):
        open_dataset(f"coco:{coco}?category=nuclei")
    with pytest.raises(UserError, match="coco has no option 'decoding'"):
        open_dataset(f"coco:{coco}?decoding=ids")
