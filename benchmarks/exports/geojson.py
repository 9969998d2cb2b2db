"""Objects as GeoJSON that QuPath opens: detections with outlines in pixels, and their measurements."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any

from benchmarks.exports.outlines import Polygon, Ring


def feature(label: int, polygons: list[Polygon], measured: Mapping[str, Any], made_of: str) -> dict[str, Any]:
    """Make the feature of an object.

    Args:
        label: its id, by which it is called.
        polygons: its outline.
        measured: measurements by name; what is not a finite number is left out, as JSON has none.
        made_of: words that tell its image from others; QuPath's id of the object follows from them and the label.
    """
    pieces = [[_closed(ring) for ring in (polygon.exterior, *polygon.holes)] for polygon in polygons]
    one = len(pieces) == 1
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{made_of}#{label}")),
        "geometry": {
            "type": "Polygon" if one else "MultiPolygon",
            "coordinates": pieces[0] if one else pieces,
        },
        "properties": {
            "objectType": "detection",
            "name": str(label),
            "measurements": {
                name: value
                for name, value in measured.items()
                if isinstance(value, int | float) and math.isfinite(value)
            },
        },
    }


def collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the document of an image's features."""
    return {"type": "FeatureCollection", "features": features}


def _closed(ring: Ring) -> list[list[int]]:
    return [list(corner) for corner in (*ring, ring[0])]
