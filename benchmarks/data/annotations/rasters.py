"""Label maps as pixels: PNG, TIFF and NPY, as StarDist, QuPath, Cellpose and ImageJ write them."""

from __future__ import annotations

from benchmarks.data.annotations.contract import LabelMap, Size
from benchmarks.data.decoding.files import decode
from benchmarks.data.decoding.raster import to_indices
from benchmarks.data.reading import as_labels


def read_raster(content: bytes, name: str, size: Size | None, ignore: bool) -> LabelMap:
    """Read a label map of one id a pixel; see `benchmarks.data.reading.read_labels`.

    Args:
        size: has no part in it: who compares sizes names both files.

    Raises:
        UserError: it is no label map.
    """
    raster = decode(content, name)
    return LabelMap(as_labels(to_indices(raster, name), name, ignore=ignore), orientation=raster.orientation)
