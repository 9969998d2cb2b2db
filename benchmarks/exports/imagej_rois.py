"""Objects as regions of interest of ImageJ and Fiji: a zip that the ROI Manager opens."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable

import numpy as np
from roifile import ROI_TYPE, ImagejRoi

from benchmarks.errors import UserError
from benchmarks.exports.outlines import Polygon, Ring

# Corners are stored in 16 bits with sign.
_LARGEST = 2**15 - 1
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def roi_zip(objects: Iterable[tuple[int, list[Polygon]]], name: str) -> bytes:
    """Make the content of a ROI zip, the same for the same objects.

    An object in one piece without holes is a traced outline, as of ImageJ's wand; any other is a composite.

    Args:
        objects: id and outline of each.
        name: what to call the image in errors.

    Raises:
        UserError: an object lies beyond what ImageJ's format can hold.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for label, polygons in objects:
            entry = zipfile.ZipInfo(f"{label:04d}.roi", _LONG_AGO)
            archive.writestr(entry, _roi(label, polygons, name).tobytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _roi(label: int, polygons: list[Polygon], name: str) -> ImagejRoi:
    corners = np.array([corner for polygon in polygons for corner in polygon.exterior])
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    if max(right, bottom) > _LARGEST:
        raise UserError(
            f"{name}: object {label} reaches to pixel ({right}, {bottom}), and ROI files of ImageJ hold positions up "
            f"to {_LARGEST}. Export geojson in place of roi, or cut the image into parts."
        )
    roi = ImagejRoi(name=f"{label:04d}", left=left, top=top, right=right, bottom=bottom)
    if len(polygons) == 1 and not polygons[0].holes:
        roi.roitype = ROI_TYPE.TRACED
        roi.n_coordinates = len(corners)
        roi.integer_coordinates = (corners - (left, top)).astype(np.int32)
        return roi
    roi.roitype = ROI_TYPE.RECT
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.holes)]
    roi.multi_coordinates = np.array([value for ring in rings for value in _path(ring)], np.float32)
    roi.shape_roi_size = len(roi.multi_coordinates)
    return roi


def _path(ring: Ring) -> list[float]:
    """Spell a ring as segments of a path; ImageJ fills paths by the even-odd rule."""
    (x, y), *others = ring
    return [_MOVE, x, y, *(value for corner in others for value in (_LINE, *corner)), _CLOSE]
