"""Bytes that were changed at random: a label map of the right size or a UserError, never a third thing."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from roifile import ImagejRoi

from benchmarks.data.annotations.cellpose import read_seg
from benchmarks.data.annotations.coco import coco_labels
from benchmarks.data.annotations.contract import LabelMap, Reader, Size
from benchmarks.data.annotations.geojson import read_geojson
from benchmarks.data.annotations.imagej import read_rois
from benchmarks.data.annotations.json_text import parse_json
from benchmarks.errors import UserError

SIZE = (12, 14)
OUTLINE = np.array([(2, 3), (8, 3), (8, 9), (2, 9)])


def seg() -> bytes:
    stream = io.BytesIO()
    entries = {"masks": np.ones(SIZE, np.uint16), "colors": np.zeros((2, 3)), "filename": "a.tif", "flows": [None, []]}
    np.save(stream, entries, allow_pickle=True)  # type: ignore[arg-type]
    return stream.getvalue()


def geojson() -> bytes:
    geometry = {"type": "Polygon", "coordinates": [OUTLINE.tolist()]}
    return json.dumps([{"type": "Feature", "geometry": geometry, "properties": {"objectType": "cell"}}]).encode()


def roi() -> bytes:
    return ImagejRoi.frompoints(OUTLINE.astype(np.float32)).tobytes()


def roi_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.roi", roi())
    return stream.getvalue()


def coco() -> bytes:
    segmentations = [[OUTLINE.ravel().tolist()], {"size": [*SIZE], "counts": [27, 6, 135]}]
    annotations = [{"id": i, "image_id": 1, "segmentation": one} for i, one in enumerate(segmentations)]
    images = [{"id": 1, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]}]
    return json.dumps({"images": images, "annotations": annotations}).encode()


def read_first(content: bytes, name: str, size: Size | None, ignore: bool) -> LabelMap:
    for record in coco_labels(parse_json(content, name), name).records.values():
        return record.read(size, ignore=ignore)
    raise UserError(f"{name}: no image")


@pytest.mark.parametrize(
    ("content", "reader"),
    [(seg(), read_seg), (geojson(), read_geojson), (roi(), read_rois), (roi_zip(), read_rois), (coco(), read_first)],
    ids=["seg", "geojson", "roi", "zip", "coco"],
)
def test_a_damaged_file_is_refused_or_read(content: bytes, reader: Reader) -> None:
    assert reader(content, "x", SIZE, True).labels.shape == SIZE
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            damaged[place] = random.integers(0, 256)
        try:
            found = reader(
                bytes(damaged[: random.choice([len(content), random.integers(0, len(content))])]), "x", SIZE, True
            )
        except UserError as error:
            assert str(error).startswith("x")
            refused += 1
        else:
            assert found.labels.dtype == np.int32 and found.labels.ndim == 2
    assert refused > 100
