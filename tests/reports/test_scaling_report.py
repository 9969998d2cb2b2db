"""The exponents, the picture and the page of a sweep."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.measure.scaling import Record, Records
from reports.scaling import exponent, write_scaling


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_the_exponent_of_a_power_law(power: float) -> None:
    values = [1, 2, 4, 8, 16]
    assert exponent(values, [3 * v**power for v in values]) == pytest.approx(power, abs=1e-9)


def test_fixed_costs_at_small_sizes_do_not_count() -> None:
    values = [1, 2, 1000, 2000]
    assert exponent(values, [500.0, 500.0, 1000.0, 2000.0]) == pytest.approx(1)
    assert exponent([5], [1.0]) is None


def test_the_page_shows_every_point_and_what_is_missing(tmp_path: Path) -> None:
    settings = {"scale": "quick", "cpu": "a CPU"}
    records = Records(tmp_path, settings)
    for value in (512, 1024, 2048):
        records.add(Record("image", value, value**2 / 1e6, 3, value**2 * 12, value**2 * 12 + 2**29))
    records.add(Record("image", 4096, None, 0, None, None, "does not fit the memory"))
    write_scaling(records, tmp_path, settings, "pctrans-bench scaling image")
    page = (tmp_path / "README.md").read_text()
    assert "| 2048 | 4.194 | 3 | 0.047 | 0.547 |  |" in page
    assert "| 4096 | - | 0 | - | - | does not fit the memory |" in page
    assert "pctrans-bench scaling image" in page and "- cpu: a CPU" in page
    with Image.open(tmp_path / "scaling.png") as picture:
        assert picture.width > 300
