"""Cellpose's `_seg.npy`, a pickled dictionary of which the masks are read, and nothing is run; and its `_rois.zip`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.data.annotations.contract import LabelMap, Size
from benchmarks.data.annotations.imagej import is_outline, paint_rois, parse_rois, region_of
from benchmarks.data.annotations.polygons import Region, fill, ring
from benchmarks.data.annotations.rasters import read_raster
from benchmarks.data.annotations.unpickling import as_array, unpickle_dictionary
from benchmarks.data.reading import as_labels
from benchmarks.errors import UserError

if TYPE_CHECKING:
    from roifile import ImagejRoi


def read_seg(content: bytes, name: str, size: Size | None, ignore: bool) -> LabelMap:
    """Read the masks of a `_seg.npy`; a plain array of that name is a label map.

    Raises:
        UserError: it is damaged, holds more than arrays and plain containers, or its masks are no label map.
    """
    if (pickled := _pickled(content)) is None:
        return read_raster(content, name, size, ignore)
    found = unpickle_dictionary(pickled, name)
    if "masks" not in found:
        raise UserError(
            f"{name}: no entry 'masks'; expected what Cellpose saves. Its entries: {sorted(map(str, found))}."
        )
    masks = as_array(found["masks"], f"{name}, masks")
    if masks.ndim != 2 or not masks.size:
        raise UserError(f"{name}: masks of shape {masks.shape}; expected one plane, (height, width).")
    return LabelMap(as_labels(masks, f"{name}, masks", ignore=ignore))


def _pickled(content: bytes) -> bytes | None:
    """Return what follows the header of a `.npy` that holds one object; None where it holds none."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
    except Exception:  # the reader of plain arrays says what is wrong with the header
        return None
    return stream.read() if dtype.hasobject and shape == () else None


def read_border_rois(content: bytes, name: str, size: Size | None, ignore: bool) -> LabelMap:
    """Paint the objects of a `_rois.zip`, whose points are the border pixels of masks.

    Cellpose takes them from OpenCV's `findContours`, which follows the outermost pixels of a mask from one to the next:
    the points are indices of pixels, where ImageJ's are corners. A file of this name whose outlines go further than to
    a neighbouring pixel anywhere is not Cellpose's, and is read as ImageJ's.

    Raises:
        UserError: as `read_rois`.
    """
    rois = parse_rois(content, name)
    region = _region_of_border if all(_is_border(roi) for _, roi in rois) else region_of
    return paint_rois(rois, region, name, size, ignore)


def _is_border(roi: ImagejRoi) -> bool:
    if not is_outline(roi):
        return False
    points = np.asarray(roi.coordinates())
    whole = np.array_equal(points, np.round(points))
    return bool(len(points) and whole and np.abs(points - np.roll(points, 1, axis=0)).max() <= 1)


def _region_of_border(roi: ImagejRoi, size: Size, name: str) -> Region:
    """The pixels on a contour and those that it goes round."""
    points = ring(roi.coordinates(), name)
    inside = fill([[points + 0.5]], size)
    border = points[((points >= 0) & (points < size[::-1])).all(axis=1)].astype(np.int64)
    if not len(border):
        return inside
    (left, top), (right, bottom) = border.min(axis=0), border.max(axis=0)
    mask = np.zeros((bottom - top + 1, right - left + 1), bool)
    rows, columns = inside.mask.shape
    mask[inside.row - top :, inside.column - left :][:rows, :columns] |= inside.mask
    mask[border[:, 1] - top, border[:, 0] - left] = True
    return Region(int(top), int(left), mask, len(border) < len(points))
