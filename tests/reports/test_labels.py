"""Label efficiency: the command from end to end, its figures from the results, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
from synthesis import synthesise
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.errors import UserError
from benchmarks.run.verification import verify_folder
from reports.labels import collect_labels, label_grid, write_label_reports

SPEC = "synthetic-nuclei?size=64&train=4&val=1&test=2"
DISCRIMINATIVE = "14"


@pytest.fixture
def folders(tmp_path: Path, data: str) -> list[Path]:
    """Table 4 with 1/4 and all of the training images, one seed and three."""
    parts = {"train-1-4": (f"{data}?train-share=1/4&draw=0", 1), "train-1": (data, 3)}
    return [synthesise(tmp_path / name, spec, seeds=seeds) for name, (spec, seeds) in parts.items()]


def test_a_figure_is_the_mean_over_seeds_of_its_share(folders: list[Path]) -> None:
    table = collect_labels(folders[::-1], "table4")
    assert table.shares == [Fraction(1, 4), Fraction(1)]
    row = table.parts[1].results.rows[7]
    values = [result.metrics["pq"] for result in row.results]
    found = table.figure(8, Fraction(1), "pq")
    assert found is not None
    assert (found.mean, found.seeds) == (pytest.approx(sum(values) / 3), 3)
    few = table.figure(8, Fraction(1, 4), "pq")
    assert few is not None
    assert few.std is None


def test_files(folders: list[Path], tmp_path: Path) -> None:
    table = collect_labels(folders, "table4")
    paths = write_label_reports(table, tmp_path)
    lines = list(csv.DictReader(paths.csv.open(encoding="utf-8")))
    assert {line["share"] for line in lines} == {"1/4", "1"}
    assert len(lines) == 8 * (1 + 3)
    assert paths.picture.stat().st_size > 10_000
    assert label_grid(table)[1][7][2] in paths.markdown.read_text(encoding="utf-8")


def test_a_row_that_was_run_with_no_share_is_named_once(folders: list[Path], tmp_path: Path) -> None:
    for folder in folders:
        row = json.loads((folder / "runs" / "table4.json").read_text(encoding="utf-8"))["rows"][1]
        for key in row["keys"]:
            shutil.rmtree(folder / "jobs" / key)
    text = write_label_reports(collect_labels(folders, "table4"), tmp_path).markdown.read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("- Row 2")]
    assert ", shares 1/4, 1: not run" in line


def test_other_test_images_are_refused(folders: list[Path], tmp_path: Path) -> None:
    from synthesis import write_folder_dataset

    other = synthesise(tmp_path / "other", write_folder_dataset(tmp_path / "larger", images=7))
    with pytest.raises(UserError, match="different test images"):
        collect_labels([*folders, other], "table4")


def test_command(tmp_path: Path) -> None:
    command = [
        "labels",
        "table1",
        "--rows",
        DISCRIMINATIVE,
        "--scale",
        "smoke",
        "--shares",
        "1/2,1",
        "--out",
        str(tmp_path),
    ]
    outcome = CliRunner().invoke(app, [*command, "--data", SPEC])
    assert outcome.exit_code == 0, outcome.output
    assert {path.name for path in tmp_path.iterdir()} == {"train-1-2", "train-1", "reports"}
    for name in ("train-1-2", "train-1"):
        assert {verdict.state for verdict in verify_folder(tmp_path / name)} == {"sound"}
    assert (tmp_path / "reports/table1_labels.png").exists()
    again = CliRunner().invoke(app, [*command, "--data", f"{SPEC}&train-share=1/2"])
    assert again.exit_code != 0
    assert "leave it to --shares" in str(again.exception)
