"""Image files to arrays, exactly as stored: no scaling, no colour conversion of label indices.

The format is taken from the first bytes, never from the file's name. Everything is decoded from bytes, so
that a file, a member of a zip and the fingerprint all see the same content.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
import tifffile
from PIL import Image

from benchmarks.data.png16 import PNG_MAGIC, decode_deep_png, is_deep_png, png_size
from benchmarks.errors import UserError

# 8192 x 8192 and more must open; beyond this a header is a lie or the image will not fit in memory anyway.
MAX_PIXELS = 2**27

_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NPY_MAGIC = b"\x93NUMPY"
_DAMAGED = "it is damaged or was cut short; copy or export it again"


def decode(content: bytes, name: str) -> np.ndarray:
    """Decode a PNG, TIFF or .npy file that holds one two-dimensional image.

    Args:
        content: the file's bytes.
        name: what to call the file in errors.

    Returns:
        (H, W) or (H, W, C) array with C in 2..4, in the file's own integer or float type. A palette PNG gives
        its palette indices.

    Raises:
        UserError: not such a file, damaged, larger than `MAX_PIXELS`, or a stack of images.
    """
    if content.startswith(PNG_MAGIC):
        array = _decode_png(content, name)
    elif content.startswith(_TIFF_MAGICS):
        array = _decode_tiff(content, name)
    elif content.startswith(_NPY_MAGIC):
        array = _decode_npy(content, name)
    else:
        found = f"its first bytes are {content[:4]!r}" if content else "it is empty"
        raise UserError(f"{name}: not a PNG or TIFF file ({found}); save it as PNG or TIFF.")
    if array.dtype.kind not in "buif":
        raise UserError(f"{name}: pixel type {array.dtype} is not supported; expected whole numbers or floats.")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] > 4) or 0 in array.shape:
        raise UserError(f"{name}: shape {array.shape}; expected one image, (height, width) with at most 4 channels.")
    return array


def check_size(height: int, width: int, name: str) -> None:
    """Refuse an image of more than `MAX_PIXELS`, before memory is taken for it.

    Raises:
        UserError: it is too large.
    """
    if height * width > MAX_PIXELS:
        raise UserError(
            f"{name}: its header says {height} x {width} pixels; at most {MAX_PIXELS / 1e6:.0f} million "
            "are read. Cut it into smaller images."
        )


def palette_colours(content: bytes, indices: np.ndarray) -> np.ndarray | None:
    """Colours of a palette PNG as (H, W, 3) uint8, or None where the file has no palette."""
    if not content.startswith(PNG_MAGIC):
        return None
    palette = Image.open(io.BytesIO(content)).getpalette("RGB")
    if palette is None:
        return None
    table = np.zeros((256, 3), dtype=np.uint8)
    table[: len(palette) // 3] = np.reshape(palette, (-1, 3))
    return table[indices]


def _decode_png(content: bytes, name: str) -> np.ndarray:
    try:
        check_size(*png_size(content), name)
        if is_deep_png(content):
            return decode_deep_png(content)
        return _with_pillow(content)
    except UserError:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, EOFError and struct.error.
        raise UserError(f"{name}: cannot be read as PNG ({error}): {_DAMAGED}.") from error


def _with_pillow(content: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        # `check_size` has already judged the size.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image)


def _decode_tiff(content: bytes, name: str) -> np.ndarray:
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            if len(file.series) != 1:
                raise UserError(f"{name}: holds {len(file.series)} images; expected one. Save each on its own.")
            series = file.series[0]
            sizes = dict(zip(series.axes, series.shape, strict=True))
            check_size(sizes.get("Y", 1), sizes.get("X", 1), name)
            channels, others = _tiff_channels(sizes)
            if others:
                raise UserError(f"{name}: a stack of shape {series.shape} ({series.axes}); expected one plane.")
            try:
                array = series.asarray()
            except ValueError as error:
                if "imagecodecs" not in str(error):
                    raise
                return _with_pillow(content)  # its libtiff knows LZW and JPEG, which tifffile alone does not
            if channels and series.axes.index(channels) < series.axes.index("Y"):
                array = np.moveaxis(array, series.axes.index(channels), -1)
            return array.reshape(sizes["Y"], sizes["X"], -1)
    except UserError:
        raise
    except Exception as error:  # tifffile raises whatever the lie in the header leads to.
        raise UserError(f"{name}: cannot be read as TIFF ({error}): {_DAMAGED}.") from error


def _tiff_channels(sizes: dict[str, int]) -> tuple[str, list[str]]:
    """Name of the channel axis ('' without one) and the axes that make the file a stack."""
    long = [axis for axis, size in sizes.items() if size > 1 and axis not in "YX"]
    channels = next((axis for axis in long if axis in "SC" and sizes[axis] <= 4), "")
    return channels, [axis for axis in long if axis != channels]


def _decode_npy(content: bytes, name: str) -> np.ndarray:
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except ValueError as error:
        raise UserError(f"{name}: cannot be read as a plain .npy array ({error}): {_DAMAGED}.") from error
