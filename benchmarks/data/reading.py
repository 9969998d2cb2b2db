"""Read an image file as an image in [0, 1], or as a map of instance ids."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

from benchmarks.data.decoding.files import decode
from benchmarks.data.decoding.limits import MAX_FILE_BYTES
from benchmarks.data.decoding.raster import to_image, to_indices
from benchmarks.data.normalisation import Range, grey_if_equal, normalise
from benchmarks.data.sample import IGNORE
from benchmarks.errors import UserError

IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
# Suffixes of label maps. JPEG is left out, as it changes ids: a picture of the labels may lie beside them.
SUFFIXES = (".png", ".tif", ".tiff", ".npy")

# An image of more colours than this is a photograph, not a label map that was saved in colour.
_PALETTE_COLOURS = 256


def stem_of(name: str) -> str:
    """Return a file's name without its folder and without a suffix that this package reads; other dots stay.

    The stem is in Unicode's composed form (NFC): macOS has written names in the decomposed one, which looks the same.
    """
    base = unicodedata.normalize("NFC", Path(name).name)
    suffix = Path(base).suffix
    return base[: -len(suffix)] if suffix.lower() in (*IMAGE_SUFFIXES, *SUFFIXES) else base


def read_image(path: str | Path, range: Range = "min-max") -> np.ndarray:
    """Read a PNG, TIFF or JPEG, grey or colour, with or without alpha, as the datasets read it.

    Args:
        range: see `normalise`.

    Returns:
        (3, H, W) float32 in [0, 1]; see `normalise`.

    Raises:
        UserError: the file is missing, damaged, not one image, or has channels that are neither grey nor RGB.
    """
    return normalise(decode_image(read_bytes(Path(path)), str(path)), str(path), range)


def read_labels(path: str | Path, *, ignore: bool = False) -> np.ndarray:
    """Read a label map: a single-channel PNG or TIFF (or .npy) of whole numbers, palette indices as they are.

    Args:
        ignore: whether -1 may stand where nothing is known, as in a truth; a prediction has none.

    Returns:
        (H, W) int32, 0 background, `IGNORE` where the file holds -1.

    Raises:
        UserError: the file is missing or damaged, or has several channels, fractions, or values that are negative or
            above 2^31 - 1.
    """
    return decode_labels(read_bytes(Path(path)), str(path), ignore=ignore)


def read_bytes(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Read the content of a file.

    Raises:
        UserError: it cannot be read, or is larger than `limit` bytes.
    """
    try:
        if (size := path.stat().st_size) > limit:
            raise UserError(f"{path}: {size} bytes; at most {limit} are read.")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from error


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Decode an image as a viewer shows it, without alpha, in the file's own type; see `raster.to_image`.

    Returns:
        (H, W) or (H, W, 3).

    Raises:
        UserError: the file is not an image that `decode` reads, or its channels are neither grey nor RGB.
    """
    return grey_if_equal(to_image(decode(content, name), name))


def decode_labels(content: bytes, name: str, *, ignore: bool = False) -> np.ndarray:
    """Decode a label map from a file's bytes; see `read_labels`."""
    return as_labels(to_indices(decode(content, name), name), name, ignore=ignore)


def as_labels(array: np.ndarray, name: str, *, ignore: bool = False) -> np.ndarray:
    """Check that an array can be a label map and make it (H, W) int32.

    Args:
        ignore: as of `read_labels`.

    Raises:
        UserError: the array has several channels, fractions, or values that are not finite, negative, or above
            2^31 - 1.
    """
    if array.ndim == 3:
        raise UserError(f"{name}: a label image with {array.shape[2]} channels; {_advice_on_colour(array)}")
    if array.dtype.kind == "f":
        _check_whole(array, name)
    low, high = int(array.min()), int(array.max())
    if low < (IGNORE if ignore else 0):
        ignored = f", and {IGNORE} is what is ignored" if ignore else ""
        raise UserError(
            f"{name}: a label image with the negative value {low}; 0 is background, ids are above it{ignored}."
        )
    if high > np.iinfo(np.int32).max:
        raise UserError(f"{name}: a label image with the id {high}; the largest that is read is 2147483647.")
    return array.astype(np.int32)


def _check_whole(array: np.ndarray, name: str) -> None:
    advice = "save whole-number ids (8, 16 or 32 bit)."
    if not np.isfinite(array).all():
        raise UserError(f"{name}: a label image of type {array.dtype} with values that are not finite; {advice}")
    if (broken := array != np.rint(array)).any():
        raise UserError(f"{name}: a label image of type {array.dtype} with the value {array[broken][0]}; {advice}")
    # Beyond this, neighbouring whole numbers become one when they are saved as floats.
    largest = 2 ** (np.finfo(array.dtype).nmant + 1)
    if array.max() > largest:
        raise UserError(
            f"{name}: a label image of type {array.dtype} with the id {int(array.max())}; that type keeps ids apart "
            f"only up to {largest}. {advice.capitalize()}"
        )


def _advice_on_colour(array: np.ndarray) -> str:
    expected = "expected a single channel, 0 background and one id an instance."
    if array.shape[2] not in (3, 4):
        return f"{expected} Save the channel that holds the ids on its own."
    colours = np.unique(array[..., :3].reshape(-1, min(3, array.shape[2])), axis=0)
    if array.shape[2] == 3 and grey_if_equal(array).ndim == 2:
        return f"{expected} The channels are equal: save one of them."
    if len(colours) <= _PALETTE_COLOURS:
        return (
            f"{expected} Its {len(colours)} colours look like a palette that was converted to RGB: "
            "save the palette indices (or ids) instead, without colour conversion."
        )
    return f"{expected} This looks like a colour image, not a label map."
