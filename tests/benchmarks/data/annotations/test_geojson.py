"""QuPath's GeoJSON: one object a feature, with holes, parts, classes and planes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from outlines import blobs, pixel_rings

from benchmarks.data.annotations.geojson import read_geojson
from benchmarks.errors import UserError

SQUARE = [[2, 3], [8, 3], [8, 9], [2, 9], [2, 3]]
HOLE = [[4, 5], [6, 5], [6, 7], [4, 7], [4, 5]]


def feature(
    coordinates: Any = (SQUARE,), kind: str = "Polygon", plane: Any = None, **properties: Any
) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates} | ({"plane": plane} if plane else {})
    return {"type": "Feature", "id": "0d3c", "geometry": geometry, "properties": properties}


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": [*features]}


def read(document: Any, size: tuple[int, int] | None = (12, 14), *, ignore: bool = True) -> np.ndarray:
    return read_geojson(json.dumps(document).encode(), "cells.geojson", size, ignore).labels


def test_features_are_objects_in_their_order_with_holes() -> None:
    expected = np.zeros((12, 14), np.int32)
    expected[3:9, 2:8] = 1
    expected[5:7, 4:6] = 0
    expected[0:2, 0:3], expected[0:2, 10:14] = 2, 2
    boxes = [[[[0, 0], [3, 0], [3, 2], [0, 2], [0, 0]]], [[[10, 0], [14, 0], [14, 2], [10, 2], [10, 0]]]]
    features = [feature([SQUARE, HOLE], objectType="cell"), feature(boxes, "MultiPolygon", objectType="cell")]
    for document in (collection(*features), features):
        np.testing.assert_array_equal(read(document), expected)
    np.testing.assert_array_equal(read(features[0]), np.where(expected == 1, 1, 0))
    assert not read(collection()).any(), "an image without objects"


def test_exact_outlines_are_the_same_label_map_again() -> None:
    labels = blobs(3)
    ids = np.unique(labels[labels > 0])
    features = []
    for id in ids:
        rings = [np.vstack([corners, corners[:1]]).tolist() for corners in pixel_rings(labels == id)]
        features.append(feature(rings))
    expected = np.searchsorted(ids, labels) + 1
    np.testing.assert_array_equal(read(collection(*features), labels.shape), np.where(labels > 0, expected, 0))


def test_a_byte_order_mark_and_other_encodings_are_read() -> None:
    text = json.dumps(collection(feature(name="Zellkörper")), ensure_ascii=False)
    expected = read(collection(feature()))
    for encoding in ("utf-8-sig", "utf-16", "utf-8"):
        found = read_geojson(text.encode(encoding), "x", (12, 14), True).labels
        np.testing.assert_array_equal(found, expected)


def test_qupaths_ignored_class_is_a_region_in_which_nothing_is_known() -> None:
    ignored = feature([[[6, 3], [12, 3], [12, 9], [6, 9]]], objectType="annotation", classification={"name": "Ignore*"})
    document = collection(feature(objectType="detection"), ignored)
    labels = read(document)
    assert (labels == 1).sum() == 36 and (labels == -1).sum() == 24
    prediction = read_geojson(json.dumps(document).encode(), "x", (12, 14), False)
    assert prediction.labels.min() == 0 and prediction.losses.left_out == 1


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (collection(feature([1, 2], "Point")), "feature 1: the geometry 'Point' has no area"),
        (collection(feature(), feature([[1, 2], [3, 4]], "LineString")), "feature 2: the geometry 'LineString'"),
        (collection(feature() | {"geometry": None}), "feature 1: the geometry is None"),
        (collection(feature(5)), "the coordinates|a polygon is 5"),
        (collection(feature([[[0, 0], [1, None], [1, 1]]])), "coordinate nan|number pairs"),
        (collection(feature([[[0, 0], [1, "5"], [1, {}]]])), "number pairs"),
        (collection({"type": "Polygon"}), "feature 1 has the type 'Polygon', not Feature"),
        (collection(7), "feature 1 is 7; expected an object"),
        ({"type": "FeatureCollection"}, "the list of features is None"),
        ({"a": 1}, "the list of features is a dict"),
        (
            collection(feature(objectType="annotation"), feature(objectType="cell"), feature(objectType="cell")),
            "holds 1 annotations, 2 cells",
        ),
        (
            collection(feature() | {"id": "PathAnnotationObject"}, feature() | {"id": "PathCellObject"}),
            "holds 1 annotations, 1 cells",
        ),
        (collection(feature(plane={"z": 1}), feature(plane={"z": 2})), "of 2 planes"),
        (collection(feature([[[90, 90], [95, 90], [95, 95]]])), "none of its 1 objects lies in the image of 12 x 14"),
    ],
)
def test_what_is_no_set_of_objects_is_refused(document: Any, said: str) -> None:
    with pytest.raises(UserError, match=rf"cells\.geojson.*({said})"):
        read(document)


def test_outlines_alone_have_no_size() -> None:
    with pytest.raises(UserError, match=r"cells\.geojson: outlines do not say how large their image is"):
        read(collection(feature()), None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b"\xff\xfe\x00", "cannot be read as JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"type":"FeatureCollection","features":[' + b'{"a":' * 100_000, "nested too deeply"),
        (b'{"type":' + b"9" * 10_000 + b"}", "cannot be read as JSON"),
    ],
)
def test_text_that_is_no_json_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(UserError, match=rf"cells\.geojson: {said}"):
        read_geojson(content, "cells.geojson", (5, 5), True)


def test_deep_lists_of_coordinates_are_refused() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    with pytest.raises(UserError, match=r"cells\.geojson, feature 1"):
        read(collection(feature([[deep]])))
