"""Stacks in TIFF: OME-TIFF, ImageJ's hyperstacks and plain pages; one plane is read at a time."""

from __future__ import annotations

import io
import math
import mmap
from collections.abc import Mapping

import numpy as np
import tifffile

from benchmarks.data.decoding.limits import DAMAGED, check_bytes, check_size
from benchmarks.data.decoding.raster import RGB, to_image
from benchmarks.data.decoding.tiff import UNSPECIFIED, as_raster, channels_of, checked_type
from benchmarks.data.decoding.tiff_segments import check_planes, check_segments
from benchmarks.data.planes.choice import UNNAMED, PlaneChoice, Stack, scene_index, several_scenes, take
from benchmarks.data.planes.pixel_size import PixelSize, ome_image, size_in_tiff
from benchmarks.errors import UserError

# What an axis counts, by tifffile's letters.
_MEANT = {"C": "C", "Z": "Z", "T": "T", "Q": UNNAMED, "I": UNNAMED, "R": UNNAMED}


def read_tiff_plane(content: bytes | mmap.mmap, choice: PlaneChoice, name: str) -> np.ndarray | None:
    """Read the plane that was chosen; None where the file holds one image in grey or in colour, without names.

    Three channels without names are colours, as everywhere.

    Args:
        content: the file's bytes, which may be mapped: only what is needed is read.
        name: what to call the file in errors.

    Returns:
        (H, W), or (H, W, 3) of red, green and blue, in the file's own type.

    Raises:
        UserError: something is to be chosen and was not, or is not there; or the file is damaged or of a kind that is
            not read.
    """
    try:
        with _opened(content) as file:
            index = _scene(file, choice, name)
            series = file.series[index]
            stack = _stack(file, series, index, content, name)
            if len(file.series) == 1 and _is_plain(stack) and (choice.channel is None or not stack.channels):
                return None
            return take(stack, choice)
    except UserError:
        raise
    except Exception as error:  # tifffile raises whatever the lie in the header leads to.
        raise UserError(f"{name}: cannot be read as TIFF ({error}): {DAMAGED}.") from error


def tiff_pixel_size(content: bytes | mmap.mmap, choice: PlaneChoice, name: str) -> PixelSize | None:
    """Read how large a pixel of the chosen image is; None where the file does not say, or says it unreadably."""
    try:
        with _opened(content) as file:
            return size_in_tiff(file, _scene(file, choice, name))
    except Exception:  # what is beside the pixels must not keep anybody from them
        return None


def _opened(content: bytes | mmap.mmap) -> tifffile.TiffFile:
    # Without a path, tifffile cannot follow OME-XML to other files, whose content nobody has checked.
    return tifffile.TiffFile(io.BytesIO(content) if isinstance(content, bytes) else io.BufferedReader(_Mapped(content)))


class _Mapped(io.RawIOBase):
    """A mapped file as a stream."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._content)}[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self._content[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def _scene(file: tifffile.TiffFile, choice: PlaneChoice, name: str) -> int:
    """Find the image that was chosen, of a file of several."""
    names = [series.name for series in file.series]
    if choice.scene is not None:
        return scene_index(choice.scene, names, name)
    if len(names) > 1:
        raise UserError(several_scenes(names, name))
    return 0


def _is_plain(stack: Stack) -> bool:
    """Whether there is nothing to choose from, as the colours of an image are no choice."""
    beside = {axis: size for axis, size in stack.sizes.items() if size > 1}
    return not beside or (beside == {"C": len(RGB)} and not stack.channels)


def _stack(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries, index: int, content: bytes | mmap.mmap, name: str
) -> Stack:
    """Describe an image of a file, and how one of its planes is read."""
    page = series.keyframe
    shape = dict(zip(series.axes, series.shape, strict=True))
    check_size(shape.get("Y", 1), shape.get("X", 1), name)
    dtype = checked_type(page, name)
    check_bytes(page.shape, dtype.itemsize, name)
    check_bytes(page.chunks, dtype.itemsize, name)
    meant = dict(_MEANT)
    if UNSPECIFIED in channels_of(page, "S", shape.get("S", 1)):
        # Samples beyond those of a colour are channels, as multispectral cameras write them.
        meant["S"] = "C"
    colours = "" if "S" in meant else "S"
    sizes = _named_axes(shape, meant, series, name)
    ahead = _axes_of_pages(series)
    inner, inner_axes = series.shape[ahead:], series.axes[ahead:]
    checked = False

    def load(chosen: Mapping[str, int]) -> np.ndarray:
        nonlocal checked
        if not checked:
            if len(file.series) == 1:
                check_planes(file, name)
            check_segments(series, content, name)
            checked = True
        at = {axis: chosen.get(meant.get(axis, axis), 0) if size > 1 else 0 for axis, size in shape.items()}
        number = np.ravel_multi_index([at[axis] for axis in series.axes[:ahead]], series.shape[:ahead]) if ahead else 0
        pixels = _page(series, int(number), content).reshape(inner)
        kept = "YX" + colours
        taken = pixels[tuple(slice(None) if axis in kept else at[axis] for axis in inner_axes)]
        axes = [axis for axis in inner_axes if axis in kept]
        taken = taken.transpose([axes.index(axis) for axis in kept if axis in axes])
        return to_image(as_raster(taken.reshape(shape["Y"], shape["X"], -1), page, "S" if "S" in axes else ""), name)

    names = () if colours and "S" in series.axes else _channel_names(file, index, sizes.get("C", 1))
    return Stack(name, sizes, load, names)


def _named_axes(
    shape: Mapping[str, int], meant: Mapping[str, str], series: tifffile.TiffPageSeries, name: str
) -> dict[str, int]:
    """Give the axes beside a plane their meaning; those of one element need none."""
    sizes: dict[str, int] = {}
    for axis, size in shape.items():
        if axis in "YX" or (axis == "S" and "S" not in meant) or (size == 1 and axis not in "CZT"):
            continue
        if (counted := meant.get(axis)) is None or counted in sizes:
            raise UserError(
                f"{name}: a stack of shape {series.shape} ({series.axes}), of which the axis {axis} cannot be chosen "
                "from; expected channels, depth and time. Save one plane of it."
            )
        sizes[counted] = size
    return sizes


def _axes_of_pages(series: tifffile.TiffPageSeries) -> int:
    """How many of the first axes count pages, as the others are within one."""
    for ahead in range(len(series.shape) + 1):
        if math.prod(series.shape[ahead:]) == series.keyframe.size:
            return ahead
    raise ValueError(f"pages of {series.keyframe.shape} in a stack of {series.shape}")


def _page(series: tifffile.TiffPageSeries, number: int, content: bytes | mmap.mmap) -> np.ndarray:
    page = series.keyframe
    if series.dataoffset is not None:
        # ImageJ and tifffile store many planes behind a single directory.
        dtype = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
        at = series.dataoffset + number * page.size * dtype.itemsize
        return np.frombuffer(content, dtype, page.size, at).astype(page.dtype)
    found = series.pages[number]
    assert found is not None, "pages were checked before"
    return found.asarray()


def _channel_names(file: tifffile.TiffFile, index: int, count: int) -> tuple[str, ...]:
    """Names of the channels; none unless all have one, nor where they are red, green and blue themselves."""
    names: list[str] = []
    if file.ome_metadata:
        pixels = ome_image(file.ome_metadata, index)
        elements = [] if pixels is None else [one for one in pixels if one.tag.rpartition("}")[2] == "Channel"]
        names = [one.attrib.get("Name", "") for one in elements]
    elif file.imagej_metadata:
        names = [str(name) for name in file.imagej_metadata.get("Labels", [])]
    if [name.lower() for name in names] == list(RGB):
        return ()
    return tuple(names) if len(names) == count and all(names) else ()
