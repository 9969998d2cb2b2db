"""Sweeps over sizes: points, resuming, and what does not fit."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.errors import UserError
from benchmarks.measure.scaling import AXES, Axis, Record, Records, sweep
from benchmarks.measure.scaling.point import discs, measure

SETTINGS = {"scale": "smoke", "cpu": "a CPU"}
TINY = Axis("queries", "queries", (2, 4, 8), fixed={"crop": 64, "instances": 3})


@pytest.mark.parametrize("count", [1, 2, 9, 50, 300])
def test_discs_are_as_many_as_asked_and_apart(count: int) -> None:
    labels = discs(256, count)
    assert sorted(np.unique(labels)) == list(range(count + 1))
    for shift in ((0, 1), (1, 0)):
        neighbour = np.roll(labels, shift, (0, 1))
        assert ((labels == neighbour) | (labels == 0) | (neighbour == 0)).all()


def answer(**found: object) -> SimpleNamespace:
    return SimpleNamespace(returncode=0, stdout="noise\n" + json.dumps(found), stderr="")


def test_points_are_measured_once_and_what_does_not_fit_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(command[4])
        if command[4] == "8":
            return SimpleNamespace(returncode=-9, stdout="", stderr="")
        return answer(seconds=[3.0, 1.0, 2.0], added_bytes=5, peak_bytes=7)

    monkeypatch.setattr(subprocess, "run", run)
    told: list[Record] = []
    sweep([TINY], Records(tmp_path, SETTINGS), scale="smoke", device="cpu", largest=4, told=told.append)
    assert told == [Record("queries", 2, 2.0, 3, 5, 7), Record("queries", 4, 2.0, 3, 5, 7)]
    again = Records(tmp_path, SETTINGS)
    assert again.of("queries") == told
    sweep([TINY], again, scale="smoke", device="cpu")
    assert asked == ["2", "4", "8"]
    assert again.of("queries")[-1] == Record("queries", 8, None, 0, None, None, "does not fit the memory")
    assert Records(tmp_path, SETTINGS).of("queries") == again.of("queries")


def test_a_point_that_fails_says_why_and_how_to_repeat_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = SimpleNamespace(returncode=1, stdout="", stderr="Traceback\nValueError: no such thing\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(
        UserError, match=r"ValueError: no such thing.*benchmarks\.measure\.scaling\.point queries 2 smoke cpu"
    ):
        sweep([TINY], Records(tmp_path, SETTINGS), scale="smoke", device="cpu")


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    Records(tmp_path, SETTINGS)
    with pytest.raises(UserError, match="another cpu"):
        Records(tmp_path, SETTINGS | {"cpu": "another"})


@pytest.mark.parametrize(("axis", "value"), [("queries", 5), ("instances", 3), ("image", 128), ("stitching", 128)])
def test_each_kind_of_point_is_measured(axis: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.measure.scaling.point.BUDGET", 0.0)
    if AXES[axis].training:
        monkeypatch.setitem(AXES, axis, Axis(axis, axis, (), fixed=TINY.fixed | {"queries": 4}))
    found = measure(axis, value, "smoke", "cpu")
    assert len(found["seconds"]) == 2 and found["peak_bytes"] > found["added_bytes"] >= 0


@pytest.mark.slow
def test_a_sweep_from_the_command_line(tmp_path: Path) -> None:
    arguments = ["scaling", "stitching", "--scale", "smoke", "--largest", "1024", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    assert result.output.count("stitching") >= 2 and (tmp_path / "scaling.png").stat().st_size > 10_000
    assert "pctrans-bench scaling stitching --scale smoke --largest 1024" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("arguments", [["sizes"], ["--scale", "huge"]])
def test_unknown_names_are_refused_before_anything_is_written(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["scaling", *arguments, "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, UserError) and "there are" in str(result.exception)
    assert not (tmp_path / "out").exists()
