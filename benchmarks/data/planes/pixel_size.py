"""How large a pixel is, where a file says so for its microscope: never from a resolution for print or screen."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any

import tifffile

from benchmarks.data.decoding.tiff import orientation_of

# Micrometres in the units of OME's schema, of ImageJ and of OME-Zarr; other words, such as "pixel", say nothing.
_UNITS = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3, "pm": 1e-6, "picometer": 1e-6, "å": 1e-4, "angstrom": 1e-4,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3, "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "m": 1e6, "meter": 1e6, "metre": 1e6,
}  # fmt: skip
_INCH, _CENTIMETRE = 25400.0, 1e4
_TAG_UNITS = {2: _INCH, 3: _CENTIMETRE}
# Resolutions per inch or centimetre below this size are of optics, above it of print, screens (72 dpi are 353 µm) and
# scanners, or a default of the program that wrote the file.
_LARGEST_OF_TAGS = 10.0


@dataclass(frozen=True)
class PixelSize:
    """Width and height of a pixel in micrometres, above 0."""

    x: float
    y: float


def pixel_size(x: Any, y: Any, unit_x: str | None, unit_y: str | None) -> PixelSize | None:
    """Bring a size to micrometres; None where it is no size, or its unit no length."""
    factors = [_UNITS.get((unit or "").strip().lower()) for unit in (unit_x, unit_y)]
    try:
        size = PixelSize(float(x) * (factors[0] or 0), float(y) * (factors[1] or 0))
    except (TypeError, ValueError):
        return None
    return size if all(math.isfinite(value) and value > 0 for value in (size.x, size.y)) else None


def size_in_tiff(file: tifffile.TiffFile, index: int = 0) -> PixelSize | None:
    """Read the size of a pixel from OME-XML, ImageJ's description, or the resolution of the page.

    Args:
        index: which image of the file.

    Returns:
        The size as the image is shown, upright.
    """
    page = file.series[index].keyframe
    if file.ome_metadata:
        size = _of_ome(file.ome_metadata, index)
    elif file.imagej_metadata:
        size = _of_imagej(page, str(file.imagej_metadata.get("unit", "")))
    else:
        size = _of_tags(page, _TAG_UNITS.get(_tag(page, "ResolutionUnit", 2), 0.0))
    if size is not None and orientation_of(page) in (5, 6, 7, 8):
        return PixelSize(size.y, size.x)
    return size


def ome_image(xml: str, index: int) -> ET.Element | None:
    """Find the element Pixels of an image in OME-XML; None where there is none, or the XML is damaged."""
    try:
        images = [one for one in ET.fromstring(xml).iter() if one.tag.rpartition("}")[2] == "Image"]
    except ET.ParseError:
        return None
    pixels = [one for image in images[index : index + 1] for one in image if one.tag.rpartition("}")[2] == "Pixels"]
    return pixels[0] if pixels else None


def _of_ome(xml: str, index: int) -> PixelSize | None:
    if (pixels := ome_image(xml, index)) is None:
        return None
    given = pixels.attrib
    return pixel_size(
        given.get("PhysicalSizeX"),
        given.get("PhysicalSizeY"),
        given.get("PhysicalSizeXUnit", "µm"),
        given.get("PhysicalSizeYUnit", "µm"),
    )


def _of_imagej(page: tifffile.TiffPage, unit: str) -> PixelSize | None:
    """ImageJ's unit is that of the resolution's tags; it spells the micro sign as an escape."""
    unit = unit.replace("\\u00B5", "µ")
    if unit.strip().lower() in ("inch", "inches", "in"):
        return _of_tags(page, _INCH)
    x, y = (_per_unit(page, name) for name in ("XResolution", "YResolution"))
    return pixel_size(1 / x, 1 / y, unit, unit) if x and y else None


def _of_tags(page: tifffile.TiffPage, unit: float) -> PixelSize | None:
    """Read pixels per unit of so many micrometres; None where they are none of a microscope."""
    x, y = (_per_unit(page, name) for name in ("XResolution", "YResolution"))
    if not (x and y and unit):
        return None
    size = PixelSize(unit / x, unit / y)
    return size if max(size.x, size.y) <= _LARGEST_OF_TAGS else None


def _per_unit(page: tifffile.TiffPage, name: str) -> float:
    value = _tag(page, name, (0, 1))
    try:
        over, under = value
        return over / under if over > 0 and under > 0 else 0.0
    except (TypeError, ValueError):
        return 0.0


def _tag(page: tifffile.TiffPage, name: str, default: Any) -> Any:
    tag = page.tags.get(name)
    return default if tag is None else tag.value
