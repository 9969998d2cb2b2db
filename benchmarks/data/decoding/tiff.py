"""Decode TIFF files of one plane with tifffile and imagecodecs, whatever their compression, bits, strips or tiles.

Only what the tests read is read (`docs/formats.md`); anything else is refused by name, as a decoder that guesses is
worse than none.
"""

from __future__ import annotations

import io

import numpy as np
import tifffile

from benchmarks.data.decoding.limits import DAMAGED, check_bytes, check_size
from benchmarks.data.decoding.raster import ALPHA, GREY, PREMULTIPLIED, RGB, Photometric, Raster
from benchmarks.data.decoding.tiff_segments import check_planes, check_segments
from benchmarks.errors import UserError

TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_JPEG, _JPEG_2000, _LERC, _WEBP = 7, 34712, 34887, (50001, 34927)
_LOSSLESS = (1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 34926, 50000)
_READ = "none, LZW, deflate, zstd, LZMA, PackBits, CCITT, JPEG, JPEG 2000, WebP and LERC"
# Some codecs decode to pixels of their own type; these are the types that are tested. Elsewhere tifffile knows it.
_TYPES = {_JPEG: ("uint8",), _JPEG_2000: ("uint8", "uint16"), **dict.fromkeys(_WEBP, ("uint8",))}
_LOSSY = {_JPEG: "JPEG", _JPEG_2000: "JPEG 2000", _LERC: "LERC", **dict.fromkeys(_WEBP, "WebP")}

_PALETTE, _YCBCR = 3, 6
_PHOTOMETRIC: dict[int, Photometric] = {
    0: "min-is-white",
    1: "min-is-black",
    2: "min-is-black",
    _PALETTE: "palette",
    _YCBCR: "min-is-black",
}
_EXTRA = {1: PREMULTIPLIED, 2: ALPHA}
_ORIENTATION, _PHOTOMETRIC_TAG = 274, 262
UNSPECIFIED = "unspecified"


def decode_tiff(content: bytes, name: str) -> Raster:
    """Decode a TIFF or BigTIFF that holds one plane.

    Returns:
        (H, W, C) whole numbers or floats as stored, with what the tags say of them.

    Raises:
        UserError: the file is damaged, incomplete, too large, of several images, or of a kind that is not read.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            if len(file.series) != 1:
                raise UserError(f"{name}: holds {len(file.series)} images; expected one. Save each on its own.")
            return _decode_series(file, content, name)
    except UserError:
        raise
    except Exception as error:  # tifffile raises whatever the lie in the header leads to.
        raise UserError(f"{name}: cannot be read as TIFF ({error}): {DAMAGED}.") from error


def _decode_series(file: tifffile.TiffFile, content: bytes, name: str) -> Raster:
    series = file.series[0]
    page = series.keyframe
    sizes = dict(zip(series.axes, series.shape, strict=True))
    check_size(sizes.get("Y", 1), sizes.get("X", 1), name)
    axis = _channel_axis(series, sizes, name)
    dtype = checked_type(page, name)
    check_bytes(series.shape, dtype.itemsize, name)
    check_bytes(page.chunks, dtype.itemsize, name)
    check_planes(file, name)
    check_segments(series, content, name)
    array = series.asarray()
    if axis and series.axes.index(axis) < series.axes.index("Y"):
        array = np.moveaxis(array, series.axes.index(axis), -1)
    array = array.reshape(sizes["Y"], sizes["X"], -1)
    return as_raster(array, page, axis)


def as_raster(array: np.ndarray, page: tifffile.TiffPage, axis: str) -> Raster:
    """Join pixels with what the tags of their page say of them.

    Args:
        array: (H, W, C) as stored.
        axis: that of the channels, "S" where they are samples of a pixel; "" without one.
    """
    photometric = _photometric(page)
    palette = _palette(page) if photometric == "palette" else None
    return Raster(
        array,
        channels_of(page, axis, array.shape[2]),
        photometric,
        page.bitspersample,
        palette,
        orientation_of(page),
        _LOSSY.get(int(page.compression), ""),
    )


def orientation_of(page: tifffile.TiffPage) -> int:
    """Return which way up a page is stored, 1 to 8; 1 is upright, and what a page without the tag is."""
    orientation = page.tags.get(_ORIENTATION)
    return orientation.value if orientation else 1


def _channel_axis(series: tifffile.TiffPageSeries, sizes: dict[str, int], name: str) -> str:
    """Name the one axis beside Y and X that is longer than 1; "" without one."""
    axes = [axis for axis, size in sizes.items() if size > 1 and axis not in "YX"]
    if len(axes) > 1 or not set(axes) <= {"S", "C"}:
        raise UserError(
            f"{name}: a stack of shape {series.shape} ({series.axes}); expected one plane. Save each plane on its own."
        )
    return axes[0] if axes else ""


def channels_of(page: tifffile.TiffPage, axis: str, count: int) -> tuple[str, ...]:
    """Name the channels: the tags give meaning to the samples of a pixel, but none to planes.

    Args:
        axis: that of the channels, "S" where they are samples of a pixel; "" without one.
        count: how many there are.

    Returns:
        A name for each, `UNSPECIFIED` where the tags give none.
    """
    colours = RGB if page.photometric in (2, _YCBCR) else GREY
    if axis != "S":
        return GREY if count == 1 else tuple(f"channel {i + 1}" for i in range(count))
    declared = [_EXTRA.get(int(extra), UNSPECIFIED) for extra in page.extrasamples]
    extras = (declared + [UNSPECIFIED] * count)[: max(0, count - len(colours))]
    return (*colours, *extras)


def _photometric(page: tifffile.TiffPage) -> Photometric:
    # Without the tag tifffile says 0, and a file that says nothing is not inverted.
    return _PHOTOMETRIC[int(page.photometric)] if _PHOTOMETRIC_TAG in page.tags else "min-is-black"


def checked_type(page: tifffile.TiffPage, name: str) -> np.dtype:
    """Return the pixels' type.

    Raises:
        UserError: compression, photometric interpretation or type is not read.
    """
    compression, photometric = int(page.compression), int(page.photometric)
    if compression not in _LOSSLESS and compression not in _LOSSY:
        raise UserError(
            f"{name}: TIFF compression {_named(page.compression)} is not read; read are {_READ}. "
            "Save it with LZW or without compression."
        )
    if photometric not in _PHOTOMETRIC or (photometric == _YCBCR and compression != _JPEG):
        raise UserError(
            f"{name}: photometric interpretation {_named(page.photometric)} is not read; expected MinIsBlack, "
            "MinIsWhite, RGB, a palette, or YCbCr within JPEG. Save it as grey or RGB."
        )
    if page.dtype is None or page.dtype.kind not in "buif" or not isinstance(page.bitspersample, int):
        found = page.dtype if page.dtype is not None else f"sample format {page.sampleformat}"
        raise UserError(
            f"{name}: pixels of {found} with {page.bitspersample} bits; expected whole numbers or floats, "
            "equal in all channels. Save it with 8 or 16 bits."
        )
    if photometric == _PALETTE and (page.dtype.kind not in "bu" or page.bitspersample > 16):
        raise UserError(
            f"{name}: palette indices of {page.dtype}; expected up to 16 bits without sign. Save it as grey or RGB."
        )
    types = _TYPES.get(compression)
    if types and (str(page.dtype) not in types or page.bitspersample != 8 * page.dtype.itemsize):
        raise UserError(
            f"{name}: {page.bitspersample}-bit {page.dtype} within {_LOSSY[compression]}; expected "
            f"{' or '.join(types)}. Save it with LZW or without compression."
        )
    return page.dtype


def _named(value: int) -> str:
    return f"{getattr(value, 'name', 'unknown')} ({int(value)})"


def _palette(page: tifffile.TiffPage) -> np.ndarray:
    """Read the colours (N, 3) uint8. TIFF keeps 16 bits of each; some writers fill only the lower eight."""
    table = np.asarray(page.colormap).T
    if table.ndim != 2 or table.shape[1] != 3:
        raise ValueError(f"a colour map of shape {table.T.shape}")
    return (table if table.max() < 256 else table >> 8).astype(np.uint8)
