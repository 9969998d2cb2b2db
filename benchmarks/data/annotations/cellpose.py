"""Cellpose's `_seg.npy`: a pickled dictionary of which the masks are read, and nothing is run."""

from __future__ import annotations

import io

import numpy as np

from benchmarks.data.annotations.contract import LabelMap, Size
from benchmarks.data.annotations.rasters import read_raster
from benchmarks.data.annotations.unpickling import as_array, unpickle_dictionary
from benchmarks.data.reading import as_labels
from benchmarks.errors import UserError


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
