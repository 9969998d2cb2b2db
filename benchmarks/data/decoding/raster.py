"""The meaning of the values in an image file.

This module alone decides on orientation, polarity, palette and alpha, whatever the format. An image is what a viewer
shows; a label map is the stored values, turned the same way up and otherwise untouched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.errors import UserError

Photometric = Literal["min-is-black", "min-is-white", "palette"]

ALPHA = "alpha"
PREMULTIPLIED = "premultiplied alpha"
RGB = ("red", "green", "blue")
GREY = ("grey",)

_ADVICE = "Save the channel to be segmented as a grey image, or three channels as an RGB image"


@dataclass(frozen=True)
class Raster:
    """One decoded image, before it is used as an image or as a label map.

    Attributes:
        pixels: (H, W) or (H, W, C) whole numbers or floats as stored, whichever way up.
        channels: a name for each of the C channels. `ALPHA` or `PREMULTIPLIED` at the end is an alpha that the file
            declares; nothing else is ever taken for one.
        photometric: how grey values or indices are shown.
        bits: bits per sample; fewer than those of the pixels' type where samples were packed.
        palette: (N, 3) uint8 where `photometric` is "palette".
        orientation: 1 to 8 as TIFF and EXIF count; 1 is upright.
        lossy: a compression that may have changed values, such as "JPEG"; empty where values are as they were saved.
    """

    pixels: np.ndarray
    channels: tuple[str, ...] = GREY
    photometric: Photometric = "min-is-black"
    bits: int = 8
    palette: np.ndarray | None = None
    orientation: int = 1
    lossy: str = ""


def to_image(raster: Raster, name: str) -> np.ndarray:
    """Return what a viewer shows, without alpha: (H, W) grey or (H, W, 3) colour, in the file's own type.

    A palette gives its colours; where zero is white, values are turned so that larger is brighter.

    Args:
        name: what to call the file in errors.

    Raises:
        UserError: channels that are neither grey nor RGB with at most one declared alpha, or a polarity that the
            type does not define.
    """
    pixels = _upright(raster)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    declared = raster.channels[-1] if raster.channels[-1] in (ALPHA, PREMULTIPLIED) else ""
    colours = pixels[..., :-1] if declared else pixels
    if colours.shape[2] not in (1, 3):
        raise UserError(f"{name}: {_listed(raster)}; expected grey or RGB, with at most a declared alpha. {_ADVICE}.")
    if raster.photometric == "palette":
        return _look_up(colours[..., 0], raster.palette)
    if raster.photometric == "min-is-white":
        colours = _inverted(colours, raster.bits, name)
    if declared == PREMULTIPLIED:
        colours = _divided_by_alpha(colours, pixels[..., -1:], raster.bits)
    return colours[..., 0] if colours.shape[2] == 1 else colours


def to_indices(raster: Raster, name: str) -> np.ndarray:
    """Return the stored values upright, (H, W) or (H, W, C): palette indices, and no inversion where zero is white.

    Raises:
        UserError: the file's compression may have changed the values.
    """
    if raster.lossy:
        raise UserError(
            f"{name}: a label image compressed with {raster.lossy}, which may change ids; expected one of a lossless "
            "format. Export it again as PNG, or as TIFF with LZW, deflate, zstd or no compression."
        )
    return _upright(raster)


def _upright(raster: Raster) -> np.ndarray:
    """Turn the pixels so that rows go from top to bottom and columns from left to right.

    Orientations that neither TIFF nor EXIF defines leave pixels as they are stored.
    """
    turned = raster.pixels
    if raster.orientation in (5, 6, 7, 8):
        turned = turned.swapaxes(0, 1)
    if raster.orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if raster.orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def _listed(raster: Raster) -> str:
    ranges = [
        f"{channel} ({values.min()} to {values.max()})"
        for channel, values in zip(raster.channels, np.moveaxis(raster.pixels, -1, 0), strict=True)
    ]
    return f"{len(ranges)} channels of {raster.pixels.dtype}: {', '.join(ranges)}"


def _look_up(indices: np.ndarray, palette: np.ndarray | None) -> np.ndarray:
    table = np.zeros((max(256, int(indices.max()) + 1), 3), dtype=np.uint8)
    if palette is not None:
        table[: len(palette)] = palette[: len(table)]
    return table[indices]


def _inverted(values: np.ndarray, bits: int, name: str) -> np.ndarray:
    if values.dtype.kind == "f":
        raise UserError(
            f"{name}: {values.dtype} values whose photometric interpretation is MinIsWhite, which no standard defines "
            "for floats; expected MinIsBlack. Export it again as MinIsBlack."
        )
    if values.dtype.kind == "i":
        return ~values
    return values.dtype.type(2**bits - 1) - values


def _divided_by_alpha(colours: np.ndarray, alpha: np.ndarray, bits: int) -> np.ndarray:
    """Restore colours from before they were multiplied by alpha; 0 where alpha is 0 and they are lost."""
    if alpha.dtype.kind == "f":
        return np.divide(colours, alpha, out=np.zeros_like(colours), where=alpha > 0)
    full = 2**bits - 1 if alpha.dtype.kind == "u" else np.iinfo(alpha.dtype).max
    if (alpha == full).all():
        return colours
    exact = np.divide(colours * float(full), alpha, out=np.zeros(colours.shape), where=alpha > 0)
    return np.clip(np.rint(exact), 0, full).astype(colours.dtype)
