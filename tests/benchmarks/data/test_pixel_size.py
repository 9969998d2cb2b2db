"""Sizes of pixels as programs write them, and resolutions that say nothing of a microscope."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from benchmarks.data.planes.choice import PlaneChoice
from benchmarks.data.planes.pixel_size import PixelSize
from benchmarks.data.planes.reading import open_image

PLANE = np.arange(120, dtype=np.uint16).reshape(10, 12)


def size_of(path: Path, **choice: Any) -> PixelSize | None:
    return open_image(path).pixel_size(PlaneChoice(**choice))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}, (0.25, 0.5)),
        (
            {"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 5e-4, "PhysicalSizeYUnit": "mm"},
            (0.25, 0.5),
        ),
        ({"PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel", "PhysicalSizeY": 1, "PhysicalSizeYUnit": "pixel"}, None),
        ({"PhysicalSizeX": 0.25}, None),
        ({}, None),
    ],
)
def test_ome_xml_says_it_with_a_unit(
    tmp_path: Path, given: dict[str, Any], expected: tuple[float, float] | None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PLANE, ome=True, metadata={"axes": "YX", **given}, resolution=(72, 72))
    assert size_of(tmp_path / "a.tif") == (PixelSize(*expected) if expected else None)


@pytest.mark.parametrize(
    ("unit", "per_unit", "expected"),
    [
        ("um", (4, 2), (0.25, 0.5)),
        ("micron", (4, 2), (0.25, 0.5)),
        ("\\u00B5m", (4, 2), (0.25, 0.5)),
        ("nm", (0.004, 0.002), (250 / 1000, 500 / 1000)),
        ("mm", (1, 1), (1000, 1000)),
        ("pixel", (1, 1), None),
        ("", (4, 4), None),
        ("inch", (72, 72), None),
        ("inch", (101600, 101600), (0.25, 0.25)),
    ],
)
def test_imagej_says_it_in_its_unit(
    tmp_path: Path, unit: str, per_unit: tuple[float, float], expected: tuple[float, float] | None
) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", PLANE, imagej=True, resolution=per_unit, metadata={"unit": unit} if unit else {}
    )
    found = size_of(tmp_path / "a.tif")
    assert (
        found == expected if expected is None else (found and (found.x, found.y)) == pytest.approx(expected, rel=1e-6)
    )


@pytest.mark.parametrize(
    ("unit", "per_unit", "expected"),
    [
        ("CENTIMETER", (40_000, 20_000), (0.25, 0.5)),
        ("INCH", (101_600, 101_600), (0.25, 0.25)),
        ("INCH", (72, 72), None),
        ("INCH", (300, 300), None),
        ("INCH", (2400, 2400), None),
        ("CENTIMETER", (28.35, 28.35), None),
        ("NONE", (1, 1), None),
        ("NONE", (40_000, 40_000), None),
    ],
)
def test_tags_say_it_but_not_for_print_or_screen(
    tmp_path: Path, unit: str, per_unit: tuple[float, float], expected: tuple[float, float] | None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PLANE, metadata=None, resolution=per_unit, resolutionunit=unit)
    found = size_of(tmp_path / "a.tif")
    assert found == expected if expected is None else (found and (found.x, found.y)) == pytest.approx(expected)


def test_an_image_that_is_turned_upright_swaps_width_and_height(tmp_path: Path) -> None:
    options: dict[str, Any] = {"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", PLANE, extratags=[(274, 3, 1, 6, True)], **options)
    assert open_image(tmp_path / "a.tif").read(PlaneChoice()).shape == (12, 10)
    assert size_of(tmp_path / "a.tif") == PixelSize(0.5, 0.25)


def test_files_that_do_not_say_have_none(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PLANE)
    Image.fromarray(PLANE).save(tmp_path / "a.png", dpi=(72, 72))
    (tmp_path / "b.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:40])
    assert [size_of(tmp_path / name) for name in ("a.tif", "a.png", "b.tif")] == [None, None, None]


def test_each_image_of_a_file_has_its_own_size(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        for size in (0.25, 0.5):
            file.write(PLANE, metadata={"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size})
    assert size_of(tmp_path / "a.ome.tif", scene="2") == PixelSize(0.5, 0.5)
    assert size_of(tmp_path / "a.ome.tif") is None
