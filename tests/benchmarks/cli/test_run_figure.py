"""`run` with nothing but a figure."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app

DATA = "synthetic-nuclei?size=64&train=2&val=1&test=1"


def test_a_figure_alone_in_a_new_folder_has_its_picture_and_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    command = [
        "run",
        "figure5",
        "--data",
        DATA,
        "--scale",
        "smoke",
        "--device",
        "cpu",
        "--jobs",
        "1",
        "--out",
        str(out),
    ]
    ended = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert ended.exit_code == 0, (ended.output, ended.exception)
    names = {path.name for path in (out / "reports").iterdir()}
    assert {"figure5.png", "figure5.pdf", "tables.tex", "index.html"} <= names
    assert "Queries without and with the contrastive losses" in (out / "reports" / "index.html").read_text()
    assert "figure5.pdf" in (out / "reports" / "tables.tex").read_text()

    again = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert "Nothing to do" in again.output
    before = (out / "figures" / "figure5" / "data.json").read_bytes()
    monkeypatch.setattr("benchmarks.figures.computing.FORMAT", 1000)  # code that shows the same jobs otherwise
    newer = CliRunner().invoke(app, [*command, "--out", str(out)])
    assert newer.exit_code == 0 and "Nothing to do" not in newer.output
    assert (out / "figures" / "figure5" / "data.json").read_bytes() != before
