"""What other programs' libraries read of the exports, against the label map."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
import tifffile
from filling import filled, label_maps
from hypothesis import given, settings
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from benchmarks.data.planes.pixel_size import PixelSize
from benchmarks.errors import UserError
from benchmarks.exports.choice import read_exports
from benchmarks.exports.coco import CocoFile
from benchmarks.exports.geojson import feature
from benchmarks.exports.imagej_labels import write_imagej_labels
from benchmarks.exports.imagej_rois import roi_zip
from benchmarks.exports.micrometres import MICROMETRE_COLUMNS, in_micrometres
from benchmarks.exports.outlines import object_masks, outline

CORNER = np.array([[0, 1, 1, 1], [0, 1, 0, 1], [2, 1, 1, 0], [0, 2, 0, 1]], np.int32)


def outlines(labels: np.ndarray) -> list[tuple[int, Any]]:
    return [(one.label, outline(one)) for one in object_masks(labels)]


@settings(max_examples=150, deadline=None)
@given(labels=label_maps())
def test_rois_that_roifile_reads_are_the_objects(labels: np.ndarray) -> None:
    content = roi_zip(outlines(labels), "a.tif")
    found = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            roi = roifile.ImagejRoi.frombytes(archive.read(name))
            assert name == f"{roi.name}.roi"
            coordinates = roi.coordinates(multi=True)
            rings = coordinates if isinstance(coordinates, list) else [coordinates]
            found[int(roi.name)] = filled(rings, labels.shape)
            rows, columns = np.nonzero(labels == int(roi.name))
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert (roi.left, roi.top, roi.right, roi.bottom) == box
    assert sorted(found) == sorted(set(labels.ravel().tolist()) - {0})
    for label, mask in found.items():
        assert (mask == (labels == label)).all()


def test_a_zip_of_rois_opens_from_a_file_and_is_the_same_each_time(tmp_path: Path) -> None:
    content = roi_zip(outlines(CORNER), "a.tif")
    assert content == roi_zip(outlines(CORNER), "a.tif")
    (tmp_path / "a.zip").write_bytes(content)
    composite, pieces = roifile.roiread(tmp_path / "a.zip")
    assert [composite.name, pieces.name] == ["0001", "0002"]
    assert composite.composite and pieces.composite
    plain = roifile.ImagejRoi.frombytes(_only(roi_zip(outlines(np.ones((2, 3), int)), "a.tif")))
    assert plain.roitype == roifile.ROI_TYPE.TRACED
    assert zipfile.ZipFile(io.BytesIO(roi_zip([], "a.tif"))).namelist() == []


def _only(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name,) = archive.namelist()
        return archive.read(name)


def test_what_imagej_cannot_hold_is_refused() -> None:
    labels = np.zeros((2, 40_000), np.int32)
    labels[0, 32_766] = 1
    assert roi_zip(outlines(labels), "a.tif")
    labels[0, 32_767] = 2
    with pytest.raises(
        UserError, match=r"a\.tif: object 2 reaches to pixel \(32768, 1\), .* up to 32767\. Export geojson"
    ):
        roi_zip(outlines(labels), "a.tif")


@settings(max_examples=150, deadline=None)
@given(labels=label_maps())
def test_geojson_polygons_are_the_objects(labels: np.ndarray) -> None:
    for label, polygons in outlines(labels):
        read = json.loads(json.dumps(feature(label, polygons, {}, "x")))["geometry"]
        pieces = read["coordinates"] if read["type"] == "MultiPolygon" else [read["coordinates"]]
        assert (read["type"] == "MultiPolygon") == (len(polygons) > 1)
        mask = np.zeros(labels.shape, bool)
        for piece in pieces:
            assert all(ring[0] == ring[-1] for ring in piece), "rings are closed"
            assert not (mask & filled([ring[:-1] for ring in piece], labels.shape)).any(), "pieces do not overlap"
            mask |= filled([ring[:-1] for ring in piece], labels.shape)
        assert (mask == (labels == label)).all()


def test_features_are_detections_with_finite_measurements_and_lasting_ids() -> None:
    (label, polygons), other = outlines(CORNER)
    measured = {"area": 7, "solidity": float("nan"), "mean_intensity": np.float64(0.5), "file": "x"}
    made = feature(label, polygons, measured, "image a")
    assert made["properties"] == {
        "objectType": "detection",
        "name": "1",
        "measurements": {"area": 7, "mean_intensity": 0.5},
    }
    assert made["id"] == feature(label, polygons, {}, "image a")["id"]
    assert len({made["id"], feature(*other, {}, "image a")["id"], feature(label, polygons, {}, "image b")["id"]}) == 3


@settings(max_examples=150, deadline=None)
@given(labels=label_maps())
def test_masks_that_pycocotools_decodes_are_the_objects(labels: np.ndarray) -> None:
    made = CocoFile()
    made.add("a.tif", labels)
    document = json.loads(json.dumps(made.document()))
    assert [one["label"] for one in document["annotations"]] == sorted(set(labels.ravel().tolist()) - {0})
    for one in document["annotations"]:
        counts = one["segmentation"]["counts"]
        assert all(count > 0 for count in counts[1:]), "the shortest spelling"
        run_lengths = coco_mask.frPyObjects(one["segmentation"], *labels.shape)
        assert (coco_mask.decode(run_lengths) == (labels == one["label"])).all()
        assert coco_mask.area(run_lengths) == one["area"]
        assert coco_mask.toBbox(run_lengths).tolist() == one["bbox"]


def test_a_coco_file_of_several_images_is_indexed(tmp_path: Path) -> None:
    made = CocoFile()
    for name in ("b.tif", "empty.tif", "a.tif"):
        made.add(name, CORNER * (name != "empty.tif"))
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(made.document()))
    index = COCO(str(path))
    assert [one["file_name"] for one in index.loadImgs(index.getImgIds())] == ["b.tif", "empty.tif", "a.tif"]
    assert index.getAnnIds(imgIds=[1]) == [1, 2] and index.getAnnIds(imgIds=[2]) == []
    third = index.loadAnns(index.getAnnIds(imgIds=[3]))
    assert [one["id"] for one in third] == [3, 4]
    assert (sum(one["label"] * index.annToMask(one).astype(int) for one in third) == CORNER).all()


def test_imagej_reads_labels_with_the_size_of_a_pixel(tmp_path: Path) -> None:
    write_imagej_labels(tmp_path / "a.tif", CORNER, PixelSize(0.25, 0.5))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert (file.asarray() == CORNER).all() and file.asarray().dtype == np.uint16
        assert file.is_imagej and file.imagej_metadata is not None
        assert (file.imagej_metadata["unit"], file.imagej_metadata["max"]) == ("um", 2.0)
        over, under = file.pages.first.tags["XResolution"].value
        assert over / under == 4
        over, under = file.pages.first.tags["YResolution"].value
        assert over / under == 2
    many = np.arange(70_000, dtype=np.int32).reshape(700, 100)
    write_imagej_labels(tmp_path / "b.tif", many, None)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert (file.asarray() == many).all() and file.asarray().dtype == np.float32
        assert "unit" not in (file.imagej_metadata or {})


def test_micrometres_scale_each_axis_and_lengths_only_where_pixels_are_square() -> None:
    row = {"centroid_x": 10.0, "centroid_y": 20.0, "area": 8, "equivalent_diameter": 3.0, "major_axis": 4.0}
    row |= {"minor_axis": 2.0, "perimeter": 9.0, "eccentricity": 0.5}
    square = in_micrometres(row, PixelSize(0.5, 0.5))
    assert set(square) == set(MICROMETRE_COLUMNS)
    assert (square["centroid_x_um"], square["area_um2"], square["perimeter_um"]) == (5.0, 2.0, 4.5)
    oblong = in_micrometres(row, PixelSize(0.5, 2.0))
    assert (oblong["centroid_x_um"], oblong["centroid_y_um"], oblong["area_um2"]) == (5.0, 40.0, 8.0)
    assert "perimeter_um" not in oblong and "equivalent_diameter_um" not in oblong
    assert in_micrometres(row, None) == {}


def test_exports_are_read_by_name() -> None:
    assert read_exports(None) == frozenset()
    assert read_exports("roi, coco,") == {"roi", "coco"}
    with pytest.raises(
        UserError, match="--export: 'zip' is none of the exports; expected some of labels, roi, geojson"
    ):
        read_exports("roi,zip")
    with pytest.raises(UserError, match="names no export"):
        read_exports(",")
