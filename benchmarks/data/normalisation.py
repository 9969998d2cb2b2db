"""Bring images as stored to [0, 1], and notice where the range of their values looks odd."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from benchmarks.errors import UserError

Range = Literal["min-max", "robust"]
RANGES: tuple[Range, ...] = get_args(Range)
"""The limits that grey and deep colour are stretched between: the extremes, or percentiles of all values."""

MIN_MAX = "min-max per image"
BY_255 = "divide by 255"
JOINT_MIN_MAX = "min-max per image over all channels jointly"
ROBUST = "percentiles 0.1 to 99.9 per image"
JOINT_ROBUST = "percentiles 0.1 to 99.9 per image over all channels jointly"
_RULES: dict[Range, tuple[str, str]] = {"min-max": (MIN_MAX, JOINT_MIN_MAX), "robust": (ROBUST, JOINT_ROBUST)}

_ROBUST_PERCENTILES = (0.1, 99.9)

# Pixels of a grey image that was saved in colour may have odd channels: one, or one in so many that are not background.
_GREY_PER_ODD = 1000
_FEWEST_FOR_ONE_ODD = 100

# All but the lowest and the highest ten thousandth of the values should fill this share of the range. The least of the
# images of BBBC039V1, BBBC038's U2OS nuclei and histology is 0.39; a hot pixel at 65535 in 12 bits leaves 0.06.
_EXTREME_PERCENTILES = (0.01, 99.99)
_LEAST_FILLED = 1 / 3


def checked_range(text: str, where: str) -> Range:
    """Return a range that the user named.

    Args:
        where: what to call the place where it was named.

    Raises:
        UserError: there is none of this name.
    """
    for known in RANGES:
        if text == known:
            return known
    raise UserError(f"{where}: no range {text!r}; expected {' or '.join(RANGES)}.")


def grey_if_equal(array: np.ndarray) -> np.ndarray:
    """Return (H, W) where an image (H, W, 3) is grey, else the array as it is.

    It is grey where the three channels are equal, but for single pixels: one, or one in 1000 of those that differ from
    the background (each channel's median). The grey of a pixel is the median of its channels.
    """
    if array.ndim == 2:
        return array
    odd = (array[..., 0] != array[..., 1]) | (array[..., 0] != array[..., 2])
    count = int(np.count_nonzero(odd))
    if not count:
        return array[..., 0]
    drawn = int(np.count_nonzero((array != np.median(array, axis=(0, 1))).any(axis=2)))
    allowed = max(drawn // _GREY_PER_ODD, int(drawn >= _FEWEST_FOR_ONE_ODD))
    return np.sort(array, axis=2)[..., 1] if count <= allowed else array


def normalisation_rule(array: np.ndarray, range: Range = "min-max") -> str:
    """Name the rule by which `normalise` treats an array from `decode_image`."""
    if array.ndim == 3 and array.dtype == np.uint8:
        return BY_255
    return _RULES[range][array.ndim - 2]


def normalise(array: np.ndarray, name: str, range: Range = "min-max") -> np.ndarray:
    """Bring an image as stored to [0, 1].

    Grey is stretched from its own minimum to its own maximum, which also serves 12 bits stored in 16; a constant image
    becomes 0. Eight-bit colour is divided by 255, so that colours stay comparable between images. Deeper colour is
    stretched over all channels jointly, which keeps the hue.

    Args:
        array: (H, W) or (H, W, 3) of any integer or float type.
        name: what to call the file in errors.
        range: "robust" stretches between percentiles in place of minimum and maximum, and clips what lies beyond.

    Returns:
        (3, H, W) float32 in [0, 1], read-only. Grey takes the memory of one channel: the three share it.

    Raises:
        UserError: values are NaN or infinite.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UserError(f"{name}: holds values that are not finite; replace NaN and infinity before use.")
    if normalisation_rule(array, range) == BY_255:
        scaled = array.astype(np.float32) / np.float32(255)
    else:
        scaled = _stretch(array, *_limits(array, range))
    channels = np.broadcast_to(scaled, (3, *scaled.shape)) if array.ndim == 2 else scaled.transpose(2, 0, 1)
    if array.ndim == 3:
        channels = np.ascontiguousarray(channels)
    channels.setflags(write=False)
    return channels


def odd_range(array: np.ndarray) -> str | None:
    """Say what a few extreme pixels do to the range of an image as stored; None where min-max fills it well.

    Args:
        array: (H, W) or (H, W, 3), finite.

    Returns:
        Words such as "0 to 65535, but all but its most extreme pixels lie in 102 to 4093".
    """
    if normalisation_rule(array) == BY_255:
        return None
    low, high = _limits(array, "min-max")
    least, most = _percentiles(array, _EXTREME_PERCENTILES)
    if high == low or (most - least) / (high - low) >= _LEAST_FILLED:
        return None
    return f"{low:g} to {high:g}, but all but its most extreme pixels lie in {least:g} to {most:g}"


def _limits(array: np.ndarray, range: Range) -> tuple[float, float]:
    """Return the values that become 0 and 1; percentiles that coincide give way to the extremes."""
    if range == "robust":
        low, high = _percentiles(array, _ROBUST_PERCENTILES)
        if high > low:
            return low, high
    return float(array.min()), float(array.max())


def _percentiles(array: np.ndarray, percent: tuple[float, float]) -> tuple[float, float]:
    """Return two percentiles as values of the array, towards its middle: the extremes have no part in them."""
    low, high = percent
    return float(np.percentile(array, low, method="higher")), float(np.percentile(array, high, method="lower"))


def _stretch(array: np.ndarray, low: float, high: float) -> np.ndarray:
    if high == low:
        return np.zeros(array.shape, dtype=np.float32)
    # Subtract in float64 only where float32 could not tell neighbouring values apart.
    exact = array.dtype.itemsize <= 2 and array.dtype.kind != "f"
    values: np.ndarray = array.astype(np.float32) if exact else array.astype(np.float64)
    np.subtract(values, low, out=values)
    np.divide(values, high - low, out=values)
    np.clip(values, 0, 1, out=values)
    return values.astype(np.float32, copy=False)
