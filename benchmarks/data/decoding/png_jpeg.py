"""Decode PNG and JPEG files with every bit of every sample.

imagecodecs (libpng) decodes PNG, as Pillow cuts colour of 16 bits down to 8. Pillow decodes palettes, whose indices
libpng's simple interface hides, and JPEG, as it notices files that were cut short.
"""

from __future__ import annotations

import io
import struct
import warnings

import imagecodecs
import numpy as np
from PIL import Image, UnidentifiedImageError

from benchmarks.data.decoding.limits import DAMAGED, check_bytes, check_size
from benchmarks.data.decoding.raster import ALPHA, GREY, RGB, Raster
from benchmarks.errors import UserError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"

_HEADER = struct.Struct(">IIBBBBB")
_PALETTE = 3
# Channels after decoding, where a transparent colour (tRNS) has become an alpha.
_CHANNELS = {1: GREY, 2: (*GREY, ALPHA), 3: RGB, 4: (*RGB, ALPHA)}
_EXIF_MARKS = (b"eXIf", b"Raw profile type exif")
_ORIENTATION = 274


def decode_png(content: bytes, name: str) -> Raster:
    """Decode a PNG.

    Returns:
        (H, W) or (H, W, C) uint8 or uint16. Grey of 1, 2 or 4 bits keeps its stored values; a palette gives indices.

    Raises:
        UserError: the file is damaged, too large, or animated.
    """
    try:
        width, height, depth, colour = _png_header(content)
        check_size(height, width, name)
        check_bytes((height, width, 4), max(1, depth // 8), name)
        if b"acTL" in content[: content.find(b"IDAT")]:
            raise UserError(f"{name}: an animated PNG; expected one image. Save each frame on its own.")
        orientation = _orientation(content) if any(mark in content for mark in _EXIF_MARKS) else 1
        if colour == _PALETTE:
            return _palette_png(content, orientation)
        pixels = imagecodecs.png_decode(content)
    except UserError:
        raise
    except Exception as error:  # imagecodecs and Pillow raise whatever the lie in the file leads to.
        raise UserError(f"{name}: cannot be read as PNG ({error}): {DAMAGED}.") from error
    if depth < 8:
        # libpng stretches packed grey to 0..255, which would turn the label 1 of a two-bit map into 85.
        pixels = pixels // (255 // (2**depth - 1))
    channels = _CHANNELS[pixels.shape[2] if pixels.ndim == 3 else 1]
    return Raster(pixels, channels, bits=depth, orientation=orientation)


def decode_jpeg(content: bytes, name: str) -> Raster:
    """Decode a JPEG of 8 bits, grey or YCbCr/RGB.

    Returns:
        (H, W) or (H, W, 3) uint8, marked as lossy.

    Raises:
        UserError: the file is damaged, too large, CMYK, or of more than 8 bits.
    """
    try:
        with _opened(content, "JPEG") as image:
            check_size(image.height, image.width, name)
            if image.mode not in ("L", "RGB"):
                raise UserError(f"{name}: a JPEG of colours {image.mode}; expected grey or RGB. Save it as RGB.")
            pixels = np.asarray(image)
            orientation = image.getexif().get(_ORIENTATION, 1)
    except UserError:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, EOFError and struct.error.
        raise UserError(f"{name}: cannot be read as JPEG ({error}): {DAMAGED}.") from error
    return Raster(pixels, GREY if pixels.ndim == 2 else RGB, orientation=orientation, lossy="JPEG")


def stated_size(content: bytes, kind: str) -> tuple[int, int]:
    """Read the height and width that a stream of 8-bit JPEG, JPEG 2000 or WebP states, without decoding it.

    Args:
        kind: Pillow's name of the format.

    Raises:
        OSError, SyntaxError or ValueError: the stream is of another kind or damaged.
    """
    with _opened(content, kind) as image:
        return image.height, image.width


def _png_header(content: bytes) -> tuple[int, int, int, int]:
    """Read width, height, bits per sample and colour type. Source: PNG specification (third edition), 11.2.1."""
    if content[12:16] != b"IHDR" or len(content) < 33:
        raise ValueError("no header")
    width, height, depth, colour, *_ = _HEADER.unpack_from(content, 16)
    return width, height, depth, colour


def _palette_png(content: bytes, orientation: int) -> Raster:
    with _opened(content, "PNG") as image:
        palette = np.reshape(image.getpalette("RGB") or [], (-1, 3)).astype(np.uint8)
        return Raster(np.asarray(image), GREY, "palette", palette=palette, orientation=orientation)


def _orientation(content: bytes) -> int:
    with _opened(content, "PNG") as image:
        return image.getexif().get(_ORIENTATION, 1)


def _opened(content: bytes, kind: str) -> Image.Image:
    with warnings.catch_warnings():
        # `check_size` judges the size.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(io.BytesIO(content), formats=[kind])
        except UnidentifiedImageError as error:
            raise ValueError(f"no header of an 8-bit {kind}" if kind == "JPEG" else f"no header of a {kind}") from error
