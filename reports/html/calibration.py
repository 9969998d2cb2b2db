"""The part of a table's section that says whether the scores of its objects can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reports.calibration import read_calibrated, summary_grid
from reports.calibration.files import calibration_paths
from reports.calibration.writing import HOW, bin_grid, sentences
from reports.collect import TableResults
from reports.html.grid import Grid
from reports.html.pictures import Embedded, embed
from reports.pictures import Picture, drawn_caption


@dataclass(frozen=True)
class CalibrationSection:
    """Calibration; `grids` has title and table of each, none where nothing was measured.

    Attributes:
        command: what measures it.
        sentences: what the figures say, and jobs that are left out.
        how: what scores and errors are.
    """

    command: str
    sentences: tuple[str, ...]
    how: str
    picture: Embedded
    grids: tuple[tuple[str, Grid], ...]


def calibration_section(results: TableResults, out: Path) -> CalibrationSection:
    """Read what is kept; the picture is that of OUT/reports."""
    command = f"pctrans-bench calibration {results.spec.name} --out {out}"
    table = read_calibrated(results, out)
    if table is None:
        return CalibrationSection(command, (), HOW, Embedded(None, ""), ())
    path = calibration_paths(out, results.spec.name).picture
    drawn = (
        Picture(path, drawn_caption(path)) if path.is_file() else Picture(None, f"No picture: `{command}` draws it.")
    )
    grids = [
        ("All rows", summary_grid(table)),
        *((f"{row.row.number}: {row.row.label}", bin_grid(row)) for row in table.examined),
    ]
    words = [table.spec.row_heading, "score"]
    return CalibrationSection(
        command=command,
        sentences=(*sentences(table), *table.left_out),
        how=HOW,
        picture=embed(drawn),
        grids=tuple((name, Grid(headings, lines, words)) for name, (headings, lines) in grids),
    )
