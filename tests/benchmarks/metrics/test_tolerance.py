"""The band along outlines that is not judged: literal loops, cases by hand, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_maps import pairs, row
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.data.label_files import write_labels
from benchmarks.metrics import image_metrics
from benchmarks.metrics.tolerance import left_out, outline_band


def literal_band(truth: np.ndarray, tolerance: int) -> np.ndarray:
    pixels = list(np.ndindex(truth.shape))
    outline = [
        (r, c)
        for r, c in pixels
        for y, x in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1))
        if 0 <= y < truth.shape[0] and 0 <= x < truth.shape[1] and truth[y, x] != truth[r, c]
    ]
    band = np.zeros(truth.shape, bool)
    for r, c in pixels:
        band[r, c] = any(np.hypot(r - y, c - x) < tolerance for y, x in outline)
    for id in np.unique(truth):
        if id and band[truth == id].all():
            band[truth == id] = False
    return band


@given(pairs(side=10), st.integers(0, 3))
def test_the_band_is_that_of_literal_loops(maps: tuple[np.ndarray, np.ndarray], tolerance: int) -> None:
    assert outline_band(maps[0], tolerance).tolist() == literal_band(maps[0], tolerance).tolist()


@given(pairs())
def test_no_tolerance_changes_nothing_and_no_truth_is_lost(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, prediction = maps
    assert all(np.array_equal(*both) for both in zip(maps, left_out(truth, prediction, 0), strict=True))
    assert np.setdiff1d(np.unique(left_out(truth, prediction, 2)[0]), 0).tolist() == [
        id for id in np.unique(truth) if id
    ]


def test_an_outline_off_by_the_tolerance_is_perfect() -> None:
    truth = row((0, 5), (1, 9), (0, 5))
    off = row((0, 4), (7, 11), (0, 4))
    assert image_metrics(truth, off)["pq"] == 9 / 11
    assert image_metrics(*left_out(truth, off, 1))["pq"] == 1
    further = row((0, 3), (7, 13), (0, 3))
    assert image_metrics(*left_out(truth, further, 1))["pq"] == pytest.approx(7 / 9)
    assert image_metrics(*left_out(truth, further, 2))["pq"] == 1


def test_a_prediction_within_the_band_is_no_error_and_one_beyond_is() -> None:
    truth = row((0, 5), (1, 9), (0, 5))
    crumb = truth + row((0, 4), (8, 1), (0, 14))
    assert image_metrics(truth, crumb)["dic"] == 1
    assert image_metrics(*left_out(truth, crumb, 1))["f1"] == 1
    far = truth + row((0, 2), (8, 1), (0, 16))
    assert image_metrics(*left_out(truth, far, 1))["dic"] == 1


def test_a_truth_as_thin_as_the_band_still_counts() -> None:
    truth = row((0, 4), (1, 2), (0, 4), (2, 9), (0, 4))
    missed = row((0, 10), (2, 9), (0, 4))
    metrics = image_metrics(*left_out(truth, missed, 2))
    assert (metrics["dic"], metrics["f1"]) == (-1, pytest.approx(2 / 3))


def test_score_takes_a_tolerance(tmp_path: Path) -> None:
    truth = np.zeros((20, 20), np.int32)
    truth[4:15, 4:15] = 1
    prediction = np.zeros((20, 20), np.int32)
    prediction[5:16, 4:15] = 3
    for name, labels in (("truth", truth), ("prediction", prediction)):
        (tmp_path / name).mkdir()
        write_labels(tmp_path / name / "one.tif", labels)
    command = ["score", str(tmp_path / "truth"), str(tmp_path / "prediction"), "--csv", str(tmp_path / "scores.csv")]
    found = []
    for options in ([], ["--tolerance", "1"]):
        result = CliRunner().invoke(app, [*command, *options])
        assert result.exit_code == 0, result.output
        found.append(pd.read_csv(tmp_path / "scores.csv")["pq"][0])
    assert found == [pytest.approx(110 / 132), 1]
