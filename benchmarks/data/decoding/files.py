"""Decode image files to arrays exactly as stored: without scaling, without colour conversion of label indices.

The first bytes decide on the format, never the file's name. Everything is decoded from bytes, so that a file, a member
of a zip and the fingerprint all see the same content. `docs/formats.md` lists what is read.
"""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np

from benchmarks.data.decoding.limits import DAMAGED, check_bytes, check_size
from benchmarks.data.decoding.png_jpeg import JPEG_MAGIC, PNG_MAGIC, decode_jpeg, decode_png
from benchmarks.data.decoding.raster import GREY, Raster
from benchmarks.data.decoding.tiff import TIFF_MAGICS, decode_tiff
from benchmarks.errors import UserError

_NPY_MAGIC = b"\x93NUMPY"


def decode(content: bytes, name: str) -> Raster:
    """Decode a PNG, TIFF, JPEG or .npy file that holds one two-dimensional image.

    Args:
        content: the file's bytes.
        name: what to call the file in errors.

    Returns:
        The image as stored; `raster.to_image` and `raster.to_indices` say what it means.

    Raises:
        UserError: the file is of another kind, damaged, larger than `limits` allow, or a stack of images.
    """
    if content.startswith(PNG_MAGIC):
        raster = decode_png(content, name)
    elif content.startswith(TIFF_MAGICS):
        raster = decode_tiff(content, name)
    elif content.startswith(JPEG_MAGIC):
        raster = decode_jpeg(content, name)
    elif content.startswith(_NPY_MAGIC):
        raster = _decode_npy(content, name)
    else:
        found = f"its first bytes are {content[:4]!r}" if content else "it is empty"
        raise UserError(f"{name}: not a PNG, TIFF or JPEG file ({found}); save it as PNG or TIFF.")
    return _checked(raster, name)


def _checked(raster: Raster, name: str) -> Raster:
    pixels = raster.pixels
    if pixels.dtype.kind not in "buif":
        raise UserError(f"{name}: pixel type {pixels.dtype} is not supported; expected whole numbers or floats.")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise UserError(
            f"{name}: shape {pixels.shape}; expected one image, (height, width) or (height, width, 3). Save one plane."
        )
    if pixels.dtype.kind == "b":
        pixels = pixels.astype(np.uint8)
    return replace(raster, pixels=pixels)


def _decode_npy(content: bytes, name: str) -> Raster:
    try:
        shape, dtype = _npy_header(content)
        check_bytes(shape, dtype.itemsize, name)
        if len(shape) in (2, 3):
            check_size(shape[0], shape[1], name)
        if math.prod(shape) * dtype.itemsize > len(content):
            raise ValueError(f"{len(content)} bytes for an array of shape {shape} and type {dtype}")
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except UserError:
        raise
    except Exception as error:  # NumPy parses the header as Python: ValueError, SyntaxError, TokenError and more.
        raise UserError(f"{name}: cannot be read as a plain .npy array ({error}): {DAMAGED}.") from error
    if array.ndim != 3 or array.shape[2] == 1:
        return Raster(array, GREY)
    return Raster(array, tuple(f"channel {i + 1}" for i in range(array.shape[2])))


def _npy_header(content: bytes) -> tuple[tuple[int, ...], np.dtype]:
    """Read the shape and type that a .npy header claims; ValueError without a header, or where values are pickled."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never unpickled")
    return shape, dtype
