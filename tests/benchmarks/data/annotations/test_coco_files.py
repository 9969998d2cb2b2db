"""COCO's JSON: which annotations are of which image, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from outlines import blobs
from pycocotools import mask as official

from benchmarks.data.annotations.coco import coco_labels
from benchmarks.data.annotations.contract import Losses
from benchmarks.errors import UserError

SQUARE = [2, 3, 8, 3, 8, 9, 2, 9]


def annotation(id: int = 1, image: Any = 7, segmentation: Any = (SQUARE,), **more: Any) -> dict[str, Any]:
    return {"id": id, "image_id": image, "category_id": 3, "iscrowd": 0, "segmentation": segmentation, **more}


def document(*annotations: Any, **more: Any) -> dict[str, Any]:
    return {
        "info": {"year": 2026},
        "images": [
            {"id": 7, "file_name": "train/a.b.jpg", "height": 12, "width": 14},
            {"id": 2, "file_name": "empty.png", "height": 12, "width": 14},
        ],
        "categories": [{"id": 3, "name": "cell"}, {"id": 4, "name": "debris"}],
        "annotations": [*annotations],
        **more,
    }


def read(stem: str, *annotations: Any, categories: tuple[str, ...] = (), **more: Any) -> np.ndarray:
    # As it comes from a file: tuples are lists.
    parsed = json.loads(json.dumps(document(*annotations, **more)))
    return coco_labels(parsed, "x.json", categories).records[stem].read(ignore=True).labels


def test_polygons_and_both_run_lengths_are_the_same_object() -> None:
    expected = np.zeros((12, 14), np.int32)
    expected[3:9, 2:8] = 1
    packed = official.encode(np.asfortranarray(expected.astype(np.uint8)))
    packed = {"size": packed["size"], "counts": packed["counts"].decode()}
    counted = {"size": [12, 14], "counts": [2 * 12 + 3, *([6, 6] * 5), 6, 6 * 12 + 3]}
    for segmentation in ([SQUARE], packed, counted):
        np.testing.assert_array_equal(read("a.b", annotation(segmentation=segmentation)), expected)
    assert not read("empty", annotation()).any()


@pytest.mark.parametrize("seed", range(3))
def test_a_label_map_as_run_lengths_is_the_same_again(seed: int) -> None:
    labels = blobs(seed)
    ids = np.unique(labels[labels > 0])
    annotations = []
    for id in ids.tolist():
        encoded = official.encode(np.asfortranarray((labels == id).astype(np.uint8)))
        segmentation = {"size": encoded["size"], "counts": encoded["counts"].decode()}
        annotations.append(annotation(id, segmentation=segmentation))
    images = [{"id": 7, "file_name": "a.png", "height": labels.shape[0], "width": labels.shape[1]}]
    expected = np.where(labels > 0, np.searchsorted(ids, labels) + 1, 0)
    np.testing.assert_array_equal(read("a", *annotations, images=images), expected)


def test_the_polygons_of_an_annotation_are_united_as_in_the_official_library() -> None:
    random = np.random.default_rng(0)
    corners = [random.integers(0, 12, 2) for _ in range(3)]
    boxes = [[x, y, x + 5, y, x + 5, y + 4, x, y + 4] for x, y in (map(int, corner) for corner in corners)]
    merged = official.decode(official.merge(official.frPyObjects(boxes, 12, 14)))
    np.testing.assert_array_equal(read("a.b", annotation(segmentation=boxes)), merged)


def test_crowds_are_regions_in_which_nothing_is_known() -> None:
    crowd = annotation(2, segmentation=[[0, 0, 14, 0, 14, 12, 0, 12]], iscrowd=1)
    labels = read("a.b", crowd, annotation())
    assert (labels == 1).sum() == 36 and (labels == -1).sum() == 12 * 14 - 36
    record = coco_labels(document(crowd, annotation()), "x.json").records["a.b"]
    assert record.read().losses == Losses(left_out=1) and record.read().labels.min() == 0


def test_categories_are_chosen_by_name_and_several_are_noted() -> None:
    other = annotation(2, segmentation=[[0, 0, 3, 0, 3, 2, 0, 2]], category_id=4)
    assert read("a.b", annotation(), other).max() == 2
    assert (read("a.b", annotation(), other, categories=("debris",)) == 1).sum() == 6
    (note,) = coco_labels(document(), "x.json").notes
    assert note == "x.json: objects of 2 categories are read as one kind: cell, debris"
    assert coco_labels(document(), "x.json", ["cell"]).notes == []
    with pytest.raises(UserError, match=r"x\.json: no category 'nuclei'; its categories: cell, debris"):
        coco_labels(document(), "x.json", ["nuclei"])


def test_the_content_is_what_decides_on_the_labels() -> None:
    def content(*annotations: Any, **more: Any) -> bytes:
        return coco_labels(document(*annotations, **more), "x.json").records["a.b"].content()

    before = content(annotation())
    assert content(annotation(area=36, bbox=[2, 3, 6, 6]), annotation(2, 2), info={}) == before
    assert content(annotation(segmentation=[SQUARE, SQUARE])) != before
    assert content(annotation(iscrowd=1)) != before
    assert content(annotation(), annotation(2)) != before
    images = [{"id": 7, "file_name": "a.b.jpg", "height": 12, "width": 15}]
    assert content(annotation(), images=images) != before


def test_the_size_is_the_images_where_the_file_does_not_say() -> None:
    record = coco_labels(document(annotation(), images=[{"id": 7, "file_name": "a.png"}]), "x.json").records["a"]
    assert record.read((20, 30)).labels.shape == (20, 30)
    with pytest.raises(UserError, match="do not say how large"):
        record.read()
    stated = coco_labels(document(annotation()), "x.json").records["a.b"]
    with pytest.raises(UserError, match=r"x\.json, image a\.b: the JSON says 12 x 14 pixels .* the image has 14 x 12"):
        stated.read((14, 12))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([annotation()], "not COCO's JSON"),
        ({"images": []}, "not COCO's JSON"),
        (document(images={}), "`images` is a dict of 0; expected a list"),
        (document(images=[5]), "an entry of `images` is 5"),
        (document(images=[{"id": 7, "file_name": None}]), "has the file_name None"),
        (document(images=[{"id": True, "file_name": "a.png"}]), "has the id True"),
        (document(images=[{"id": 7, "file_name": "a.png"}] * 2), "the id 7 is twice in `images`"),
        (
            document(images=[{"id": 7, "file_name": "x/a.png"}, {"id": 8, "file_name": "y/a.jpg"}]),
            r"two images are called 'a' \(ids 7 and 8\)",
        ),
        (document(annotation(), annotation()), "the id 1 is twice in `annotations`"),
        (document(annotation(image=99)), "the annotation 1 is of the image 99, which is not listed"),
        (document(annotation(image=[7])), "is of the image None"),
        (document(annotation(category_id=9)), "of the category 9, which is not listed"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(made: Any, said: str) -> None:
    with pytest.raises(UserError, match=rf"x\.json: .*{said}"):
        coco_labels(made, "x.json")


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        (None, "the segmentation is None; .*A box alone is no outline"),
        ([], "the segmentation is a list of 0"),
        ([[1, 2, 3]], "a polygon of 3 values"),
        ([["1", 2, 3, 4]], "a polygon of 4 values"),
        ([[True, 2, 3, 4]], "a polygon of 4 values"),
        ([5], "a polygon is 5; expected a list"),
        (SQUARE, "a polygon is 2; expected a list"),
        ([[1, 2, float("nan"), 4, 5, 6]], "coordinate nan"),
        ([[1, 2, 10**400, 4, 5, 6]], "number pairs"),
        ({"size": [12, 14], "counts": [5]}, "add up to 5"),
        ({"size": [14, 12], "counts": [12 * 14]}, r"a mask of size a list of 2, its image has \[12, 14\]"),
    ],
)
def test_what_is_no_outline_is_refused_with_its_annotation(segmentation: Any, said: str) -> None:
    with pytest.raises(UserError, match=rf"x\.json, image a\.b, annotation 1: .*{said}"):
        read("a.b", annotation(segmentation=segmentation))


@pytest.mark.parametrize("size", [(0, 14), (-1, 14), (12.5, 14), ("12", 14), (10**6, 10**6), (12, None)])
def test_sizes_that_no_image_has_are_refused(size: tuple[Any, Any]) -> None:
    images = [{"id": 7, "file_name": "a.png", "height": size[0], "width": size[1]}]
    with pytest.raises(UserError, match=r"x\.json, image a"):
        read("a", annotation(), images=images)
