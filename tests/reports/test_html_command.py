from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console
from synthesis import synthesise_scores
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.cli.report_writer import report_folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Two small tables, without curves, as drawing them takes seconds."""
    out = synthesise_scores(tmp_path / "out", tables=["table3", "table6"], seeds=1, images=3)
    for path in (out / "jobs").glob("*/*.csv"):
        path.unlink()
    return out


def test_report_without_a_name_writes_everything_and_says_where(out: Path) -> None:
    found = CliRunner().invoke(app, ["report", "--out", str(out)])
    assert found.exit_code == 0, found.output
    names = {path.name for path in (out / "reports").iterdir() if not path.name.startswith(".")}
    assert {"table3.tex", "table6.md", "tables.tex", "claims.md", "claims.json", "index.html"} <= names
    assert not [name for name in names if str(out / "reports" / name) not in found.output]


def test_report_of_one_table(out: Path) -> None:
    assert CliRunner().invoke(app, ["report", "table6", "--out", str(out)]).exit_code == 0
    names = {path.name for path in (out / "reports").iterdir() if not path.name.startswith(".")}
    assert "table6.tex" in names and "table3.tex" not in names and "index.html" not in names


def test_what_was_written_is_not_written_again(out: Path) -> None:
    files = report_folder(Console(quiet=True), out, ["table3"])
    assert not (out / "reports" / "table3.tex").exists()
    assert (out / "reports" / "table6.tex") in files and all(path.is_file() for path in files)
    assert "table3" in (out / "reports" / "tables.tex").read_text()


def test_damage_is_said_and_the_rest_is_written(out: Path) -> None:
    (out / "runs" / "table6.json").write_text("{")
    (out / "figures" / "figure1").mkdir(parents=True)
    (out / "figures" / "figure1" / "data.json").write_text("{")
    found = CliRunner().invoke(app, ["report", "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert "table6.json does not describe a run" in found.output and "figure1" in found.output
    assert (out / "reports" / "table3.tex").is_file() and (out / "reports" / "index.html").is_file()


def test_nothing_was_run(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    found = CliRunner().invoke(app, ["report", "--out", str(tmp_path)])
    assert found.exit_code != 0 and "pctrans-bench run table4" in str(found.exception)


def test_every_result_is_read_once(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = json.loads((out / "runs" / "table6.json").read_text())
    read: list[Path] = []
    whole = Path.read_bytes

    def counted(path: Path) -> bytes:
        read.extend([path] if path.name == "result.json" else [])
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    report_folder(Console(quiet=True), out)
    assert len(read) == len(set(read)) > len(shared["jobs"])
