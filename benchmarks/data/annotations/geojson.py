"""GeoJSON as QuPath writes it: one object a feature, in pixels of the full resolution."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmarks.data.annotations.contract import LabelMap, Size, known_size
from benchmarks.data.annotations.json_text import describe, listed, mapped, parse_json
from benchmarks.data.annotations.painting import Painter
from benchmarks.data.annotations.polygons import Part, fill, ring
from benchmarks.errors import UserError

# QuPath's class of regions that its own measurements leave out.
_IGNORED_CLASS = "Ignore*"
_OBJECTS = ("detection", "cell")
# What versions before 0.3 have as the feature's id, in place of `objectType`.
_OLD_IDS = {"PathDetectionObject": "detection", "PathCellObject": "cell", "PathAnnotationObject": "annotation"}


def is_geojson(document: Any) -> bool:
    """Whether parsed JSON is a FeatureCollection, a Feature, or a list of Features."""
    if isinstance(document, list):
        return bool(document) and all(isinstance(one, dict) and one.get("type") == "Feature" for one in document)
    return isinstance(document, dict) and document.get("type") in ("FeatureCollection", "Feature")


def read_geojson(content: bytes, name: str, size: Size | None, ignore: bool) -> LabelMap:
    """Paint the polygons of features; holes are holes, and the parts of a MultiPolygon are one object.

    Features of QuPath's class `Ignore*` are regions in which nothing is known.

    Raises:
        UserError: it is no GeoJSON, a geometry has no area, or features are of several planes or of regions and cells.
    """
    features = _features(parse_json(content, name), name)
    _refuse_mixtures(features, name)
    painter = Painter(known_size(size, name), name, ignore=ignore)
    for number, feature in enumerate(features, 1):
        place = f"{name}, feature {number}"
        region = fill(_parts(feature.get("geometry"), place), known_size(size, name))
        if _class(feature) == _IGNORED_CLASS:
            painter.leave_unjudged(region)
        else:
            painter.add(region)
    return painter.finish()


def _features(document: Any, name: str) -> list[dict[str, Any]]:
    if isinstance(document, dict) and document.get("type") == "Feature":
        document = [document]
    elif isinstance(document, dict) and document.get("type") == "FeatureCollection":
        document = document.get("features")
    features = listed(document, "the list of features", name)
    for number, feature in enumerate(features, 1):
        if mapped(feature, f"feature {number}", name).get("type") != "Feature":
            raise UserError(f"{name}: feature {number} has the type {describe(feature.get('type'))}, not Feature.")
    return features


def _parts(geometry: Any, name: str) -> list[Part]:
    """The parts of a geometry, each an outline and its holes."""
    geometry = mapped(geometry, "the geometry", name)
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "Polygon":
        coordinates = [coordinates]
    elif kind != "MultiPolygon":
        raise UserError(
            f"{name}: the geometry {describe(kind)} has no area; expected Polygon or MultiPolygon. Remove it, or "
            "export only the objects."
        )
    polygons = [listed(polygon, "a polygon", name) for polygon in listed(coordinates, "the coordinates", name)]
    return [[ring(points, name) for points in polygon] for polygon in polygons]


def _refuse_mixtures(features: list[dict[str, Any]], name: str) -> None:
    """Refuse what would be objects over objects, or objects of several images."""
    kinds = Counter(_kind(feature) for feature in features if _class(feature) != _IGNORED_CLASS)
    if any(kind in kinds for kind in _OBJECTS) and any(kind not in _OBJECTS for kind in kinds):
        found = ", ".join(f"{count} {kind}s" for kind, count in sorted(kinds.items()))
        raise UserError(
            f"{name}: holds {found}; regions around objects would be objects themselves. Export the detections or "
            "cells alone (in QuPath: select them, then File > Export objects as GeoJSON > selected objects)."
        )
    planes = {_plane(feature) for feature in features}
    if len(planes) > 1:
        raise UserError(f"{name}: has objects of {len(planes)} planes (z, time); expected one. Export one plane.")


def _kind(feature: dict[str, Any]) -> str:
    return str(_properties(feature).get("objectType") or _OLD_IDS.get(str(feature.get("id")), "feature"))


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _class(feature: dict[str, Any]) -> Any:
    found = _properties(feature).get("classification")
    return found.get("name") if isinstance(found, dict) else None


def _plane(feature: dict[str, Any]) -> tuple[str, str]:
    geometry = feature.get("geometry")
    plane = geometry.get("plane") if isinstance(geometry, dict) else None
    plane = plane if isinstance(plane, dict) else {}
    return str(plane.get("z", 0)), str(plane.get("t", 0))
