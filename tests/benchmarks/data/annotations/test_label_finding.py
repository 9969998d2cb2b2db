"""Which file of a folder is of which image, and who reads it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from roifile import ROI_TYPE, ImagejRoi

from benchmarks.data.annotations.contract import LabelSet
from benchmarks.data.annotations.finding import common_stems, labels_at
from benchmarks.errors import UserError

LABELS = np.zeros((12, 14), np.uint16)
LABELS[3:9, 2:8] = 1
PICTURE = np.full((12, 14), 77, np.uint8)


def png(path: Path, array: np.ndarray = LABELS) -> None:
    Image.fromarray(array).save(path)


def seg(path: Path, masks: np.ndarray = LABELS) -> None:
    np.save(path, {"masks": masks, "flows": []}, allow_pickle=True)  # type: ignore[arg-type]


def geojson(path: Path) -> None:
    ring = [[2, 3], [8, 3], [8, 9], [2, 9], [2, 3]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))


def coco(path: Path, *names: str) -> None:
    images = [{"id": i, "file_name": name, "height": 12, "width": 14} for i, name in enumerate(names)]
    square = [[2, 3, 8, 3, 8, 9, 2, 9]]
    annotations = [{"id": i, "image_id": i, "category_id": 1, "segmentation": square} for i in range(len(names))]
    categories = [{"id": 1, "name": "cell"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def rois(path: Path) -> None:
    roi = ImagejRoi()
    roi.roitype, roi.left, roi.top, roi.right, roi.bottom = ROI_TYPE.RECT, 2, 3, 8, 9
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.roi", roi.tobytes())


def read(found: LabelSet) -> dict[str, list[int]]:
    return {stem: np.unique(record.read((12, 14)).labels).tolist() for stem, record in found.records.items()}


def test_a_folder_may_hold_every_format(tmp_path: Path) -> None:
    png(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.TIF", LABELS)
    np.save(tmp_path / "c.npy", LABELS)
    png(tmp_path / "d_cp_masks.png")
    tifffile.imwrite(tmp_path / "d2_cp_masks.tif", LABELS)
    seg(tmp_path / "e_seg.npy")
    geojson(tmp_path / "f.geojson")
    geojson(tmp_path / "g.ome.tif.geojson")
    geojson(tmp_path / "h.json")
    rois(tmp_path / "i.zip")
    rois(tmp_path / "j_rois.zip")
    coco(tmp_path / "annotations.json", "k.png", "folder/l.jpg")
    (tmp_path / "notes.txt").write_text("not data")
    (tmp_path / "settings.json").write_text('{"diameter": 30}')
    found = labels_at(tmp_path)
    assert [*found.records] == ["a", "b", "c", "d", "d2", "e", "f", "g.ome", "h", "i", "j", "k", "l"]
    for record in found.records.values():
        np.testing.assert_array_equal(record.read((12, 14)).labels, LABELS)
        assert str(tmp_path) in record.name
    assert found.unread == ["notes.txt", "settings.json"] and found.notes == []
    assert [*labels_at(tmp_path, ["k", "a", "e"]).records] == ["a", "e", "k"]
    with pytest.raises(UserError, match="no label map for z, which the list of images names"):
        labels_at(tmp_path, ["a", "z"])


def test_a_single_coco_file_is_a_folder_of_labels(tmp_path: Path) -> None:
    coco(tmp_path / "x.json", "a.png", "b.png")
    assert read(labels_at(tmp_path / "x.json")) == {"a": [0, 1], "b": [0, 1]}
    assert [*labels_at(tmp_path / "x.json", ["b"]).records] == ["b"]
    for other in (tmp_path / "y.json", tmp_path / "a.png"):
        with pytest.raises(UserError, match="not a folder"):
            labels_at(other)


@pytest.mark.parametrize("stems", [None, ["a", "b"]])
def test_of_what_cellpose_leaves_beside_the_images_the_masks_are_read(tmp_path: Path, stems: list[str] | None) -> None:
    for stem in "ab":
        png(tmp_path / f"{stem}.png", PICTURE)
        png(tmp_path / f"{stem}_cp_masks.png")
        png(tmp_path / f"{stem}_flows.tif".replace("tif", "png"), PICTURE)
        seg(tmp_path / f"{stem}_seg.npy")
        rois(tmp_path / f"{stem}_rois.zip")
        (tmp_path / f"{stem}_cp_outlines.txt").write_text("1,2,3,4")
    found = labels_at(tmp_path, stems)
    assert read(found) == {"a": [0, 1], "b": [0, 1]}
    (note,) = found.notes
    assert "2 images have a file of their own name and one of Cellpose's, which is read (the first: a)" in note


def test_masks_that_were_edited_after_they_were_exported_are_refused(tmp_path: Path) -> None:
    png(tmp_path / "a_cp_masks.png")
    seg(tmp_path / "a_seg.npy", LABELS * 2)
    with pytest.raises(UserError, match=r"a_cp_masks\.png and .*a_seg\.npy hold different masks"):
        labels_at(tmp_path).records["a"].read()
    seg(tmp_path / "a_seg.npy")
    assert labels_at(tmp_path).records["a"].read().labels.max() == 1


def test_images_whose_names_end_like_cellposes_keep_their_files(tmp_path: Path) -> None:
    png(tmp_path / "x.png", LABELS)
    np.save(tmp_path / "x_seg.npy", LABELS * 5)
    png(tmp_path / "y_cp_masks.png", LABELS * 7)
    assert read(labels_at(tmp_path, ["x", "x_seg", "y_cp_masks"])) == {
        "x": [0, 1],
        "x_seg": [0, 5],
        "y_cp_masks": [0, 7],
    }
    assert common_stems(tmp_path, tmp_path) == {"x", "x_seg", "y_cp_masks"}
    (tmp_path / "other").mkdir()
    assert common_stems(tmp_path, tmp_path / "other") is None
    assert common_stems(tmp_path / "other", tmp_path / "other") is None
    assert common_stems(tmp_path, tmp_path / "absent") is None


@pytest.mark.parametrize(
    "files",
    [
        {"a.png": png, "a.tif": lambda path: tifffile.imwrite(path, LABELS)},
        {"a.png": png, "a.geojson": geojson},
        {"a_cp_masks.png": png, "a.geojson": geojson},
        {"a_seg.npy": seg, "x.json": lambda path: coco(path, "a.png")},
        {"a_cp_masks.png": png, "a_cp_masks.tif": lambda path: tifffile.imwrite(path, LABELS)},
        {"a.geojson": geojson, "a.tif.geojson": geojson},
        {"a.zip": rois, "a.roi": rois},
        {"a.png": png, "x.json": lambda path: coco(path, "a.png")},
        {"x.json": lambda path: coco(path, "a.png"), "y.json": lambda path: coco(path, "a.png")},
    ],
)
def test_two_files_of_one_image_are_refused(tmp_path: Path, files: dict) -> None:
    for name, write in files.items():
        write(tmp_path / name)
    with pytest.raises(UserError, match="keep one of them"):
        labels_at(tmp_path)


def test_files_of_no_image_that_is_asked_for_do_not_matter(tmp_path: Path) -> None:
    png(tmp_path / "a.png")
    png(tmp_path / "other.png")
    rois(tmp_path / "other.zip")
    assert [*labels_at(tmp_path, ["a"]).records] == ["a"]


def test_names_say_what_is_common_where_no_json_does(tmp_path: Path) -> None:
    for side in ("x", "y"):
        (tmp_path / side).mkdir()
        png(tmp_path / side / "a_cp_masks.png")
    assert common_stems(tmp_path / "x", tmp_path / "y") == {"a_cp_masks"}
    rois(tmp_path / "x" / "b.zip")
    assert common_stems(tmp_path / "x", tmp_path / "y") is None
    rois(tmp_path / "y" / "b.zip")
    assert common_stems(tmp_path / "x", tmp_path / "y") == {"a_cp_masks", "b"}
    coco(tmp_path / "x" / "c.json", "c.png")
    assert common_stems(tmp_path / "x", tmp_path / "y") is None


def test_damaged_json_and_folders_without_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no label map found, expected files ending in .*geojson"):
        labels_at(tmp_path)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json: cannot be read as JSON"):
        labels_at(tmp_path)
