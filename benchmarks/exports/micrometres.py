"""Measurements in micrometres, of images whose files say how large a pixel is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.data.planes.pixel_size import PixelSize

_LENGTHS = ("equivalent_diameter", "major_axis", "minor_axis", "perimeter")
MICROMETRE_COLUMNS = (
    "pixel_width_um",
    "pixel_height_um",
    "centroid_x_um",
    "centroid_y_um",
    "area_um2",
    *(f"{name}_um" for name in _LENGTHS),
)
# Lengths in all directions need square pixels; stages and scans are not more exact than this.
_SQUARE = 1e-3


def in_micrometres(row: Mapping[str, Any], size: PixelSize | None) -> dict[str, float]:
    """Convert a row of `object_measurements`.

    Args:
        size: of a pixel; None gives no values.

    Returns:
        Values of `MICROMETRE_COLUMNS`: centroids as those in pixels, from the centre of the first one. Diameter, axes
        and perimeter are left out where pixels are not square.
    """
    if size is None:
        return {}
    values = {
        "pixel_width_um": size.x,
        "pixel_height_um": size.y,
        "centroid_x_um": row["centroid_x"] * size.x,
        "centroid_y_um": row["centroid_y"] * size.y,
        "area_um2": row["area"] * size.x * size.y,
    }
    if math.isclose(size.x, size.y, rel_tol=_SQUARE):
        values |= {f"{name}_um": row[name] * math.sqrt(size.x * size.y) for name in _LENGTHS}
    return values
