"""ImageJ's ROIs: a `.roi` file, or a zip of them as the ROI manager saves it; one object a ROI.

Coordinates are corners of pixels, as everywhere here; an oval holds the pixels whose centres are in its ellipse.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.data.annotations.contract import LabelMap, Size, known_size
from benchmarks.data.annotations.painting import Painter
from benchmarks.data.annotations.polygons import Part, Region, fill, ring
from benchmarks.data.decoding.limits import MAX_BYTES
from benchmarks.data.sources import read_member
from benchmarks.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roifile import ImagejRoi

    Rois = Sequence[tuple[str, ImagejRoi]]
    RegionOf = Callable[[ImagejRoi, Size, str], Region]

_MAGIC = b"Iout"
# Commands of a composite's path, as java.awt.geom.PathIterator numbers them, with the points that each takes.
_MOVE, _LINE, _QUADRATIC, _CUBIC, _CLOSE = range(5)
_POINTS = {_MOVE: 1, _LINE: 1, _QUADRATIC: 2, _CUBIC: 3, _CLOSE: 0}
_STEPS = np.linspace(0, 1, 33)[1:, None]


def read_rois(content: bytes, name: str, size: Size | None, ignore: bool) -> LabelMap:
    """Paint the areas of a `.roi` file or of a zip of them, in the order of the zip.

    Raises:
        UserError: the file is neither, a ROI has no area or is damaged, or ROIs are of several planes.
    """
    return paint_rois(parse_rois(content, name), region_of, name, size, ignore)


def paint_rois(rois: Rois, region: RegionOf, name: str, size: Size | None, ignore: bool) -> LabelMap:
    """Paint ROIs in their order.

    Args:
        region: finds the pixels of each.

    Raises:
        UserError: the size is not known, or what `region` refuses.
    """
    size = known_size(size, name)
    painter = Painter(size, name, ignore=ignore)
    for place, roi in rois:
        painter.add(region(roi, size, place))
    return painter.finish()


def parse_rois(content: bytes, name: str) -> Rois:
    """The ROIs of a `.roi` file or of a zip of them, each with what to call it in errors.

    Raises:
        UserError: the file is neither, a ROI is damaged, or ROIs are of several planes.
    """
    rois = [(place, _parse(data, place)) for place, data in _members(content, name)]
    planes = {plane for _, roi in rois if (plane := (roi.position, roi.z_position, roi.t_position)) != (0, 0, 0)}
    if len(planes) > 1:
        raise UserError(f"{name}: has ROIs of {len(planes)} planes of a stack; expected one. Save those of one plane.")
    return rois


def _members(content: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    if content.startswith(_MAGIC):
        yield name, content
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception as error:  # beside BadZipFile what a directory of lies leads to
        raise UserError(f"{name}: neither an ImageJ ROI nor a zip of them ({error}); save it again.") from error
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and not _hidden(info)]
        if sum(info.file_size for info in infos) > MAX_BYTES:
            raise UserError(f"{name}: unpacks to more than {MAX_BYTES / 2**30:.0f} GiB; ROIs of one image do not.")
        for info in infos:
            place = f"{name}/{info.filename}"
            path = PurePosixPath(info.filename.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts:
                raise UserError(f"{place}: a path that leads out of the zip; ImageJ writes none such. Save it again.")
            if path.suffix.lower() != ".roi":
                raise UserError(f"{place}: not a ROI; expected a zip of .roi files alone, as the ROI manager saves it.")
            yield place, read_member(archive, info, place, MAX_BYTES)


def _hidden(info: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(info.filename).parts
    return parts[0] == "__MACOSX" or (parts[-1].startswith(".") and not parts[-1].startswith(".."))


def _parse(content: bytes, name: str) -> ImagejRoi:
    from roifile import ImagejRoi

    try:
        return ImagejRoi.frombytes(content)
    except Exception as error:  # struct and NumPy raise whatever the lie in a header leads to
        raise UserError(f"{name}: cannot be read as an ImageJ ROI ({error}); save it again.") from error


def is_outline(roi: ImagejRoi) -> bool:
    """Whether a ROI is one ring of points."""
    from roifile import ROI_TYPE

    kinds = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
    return roi.multi_coordinates is None and roi.roitype in kinds


def region_of(roi: ImagejRoi, size: Size, name: str) -> Region:
    """The pixels of a ROI.

    Raises:
        UserError: it has no area, or is damaged.
    """
    from roifile import ROI_SUBTYPE, ROI_TYPE

    if roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE):
        raise UserError(f"{name}: a ROI that shows {roi.subtype.name.lower()}; expected outlines. Remove it.")
    if roi.multi_coordinates is not None:
        return fill([_composite(roi.multi_coordinates, name)], size)
    if is_outline(roi):
        return fill([[ring(roi.coordinates(), name)]], size)
    if roi.roitype == ROI_TYPE.RECT and roi.rounded_rect_arc_size <= 0:
        left, top, right, bottom = _box(roi)
        return fill([[ring([(left, top), (right, top), (right, bottom), (left, bottom)], name)]], size)
    if roi.roitype == ROI_TYPE.OVAL:
        return _ellipse(_box(roi), size, name)
    kind = "rounded rectangle" if roi.roitype == ROI_TYPE.RECT else roi.roitype.name.lower()
    raise UserError(
        f"{name}: a ROI of the kind {kind}; expected an area (polygon, freehand, traced, rectangle, oval, composite). "
        "Remove it, or convert it to an area in ImageJ."
    )


def _box(roi: ImagejRoi) -> tuple[float, float, float, float]:
    if roi.subpixelrect:
        return roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd
    return roi.left, roi.top, roi.right, roi.bottom


def _ellipse(box: tuple[float, float, float, float], size: Size, name: str) -> Region:
    left, top, right, bottom = ring([box[:2], box[2:]], name).ravel().tolist()
    frame = fill([[np.array([(left, top), (right, top), (right, bottom), (left, bottom)])]], size)
    rows = np.arange(frame.mask.shape[0])[:, None] + frame.row + 0.5
    columns = np.arange(frame.mask.shape[1])[None] + frame.column + 0.5
    across = (2 * columns - left - right) / (right - left) if right > left else columns
    down = (2 * rows - top - bottom) / (bottom - top) if bottom > top else rows
    return Region(frame.row, frame.column, frame.mask & (across**2 + down**2 <= 1), frame.clipped)


def _composite(path: np.ndarray, name: str) -> Part:
    """The rings of a path of commands and points; curves become 32 straight pieces."""
    numbers, rings, points, at = path.tolist(), [], [np.empty((0, 2))], 0
    while at < len(numbers):
        command = numbers[at]
        if command not in _POINTS or at + 2 * _POINTS[int(command)] >= len(numbers):
            raise UserError(
                f"{name}: a composite whose path has {command} at place {at}; it is damaged, save it again."
            )
        count = _POINTS[int(command)]
        given = np.array(numbers[at + 1 : at + 1 + 2 * count], float).reshape(count, 2)
        at += 1 + 2 * count
        if command == _MOVE:
            rings.append(np.concatenate(points))
            points = [given]
        elif command in (_QUADRATIC, _CUBIC):
            start = points[-1][-1:]
            if not len(start):
                raise UserError(f"{name}: a composite that begins with a curve; it is damaged, save it again.")
            points.append(_curve(np.concatenate([start, given])))
        elif command == _LINE:
            points.append(given)
    rings.append(np.concatenate(points))
    return [ring(corners, name) for corners in rings if len(corners)]


def _curve(controls: np.ndarray) -> np.ndarray:
    """Points of a Bézier curve, by de Casteljau's construction."""
    layer = [np.broadcast_to(control, (len(_STEPS), 2)) for control in controls]
    while len(layer) > 1:
        layer = [a + _STEPS * (b - a) for a, b in pairwise(layer)]
    return layer[0]
