"""The part of a table's section that says how its rows stand up to worse images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.robustness import KINDS
from reports.collect import TableResults
from reports.html.grid import Grid
from reports.html.pictures import Embedded, embed
from reports.pictures import Picture, drawn_caption
from reports.robustness import read_measured, summary_grid
from reports.robustness.files import robustness_paths
from reports.robustness.writing import HOW, kind_grid, sentences, title


@dataclass(frozen=True)
class RobustnessSection:
    """Robustness; `grids` has title and table of each, none where nothing was measured.

    Attributes:
        command: what measures it.
        sentences: what the curves say, and jobs that are left out.
        how: what was done to the images.
    """

    command: str
    sentences: tuple[str, ...]
    how: str
    picture: Embedded
    grids: tuple[tuple[str, Grid], ...]


def robustness_section(results: TableResults, out: Path) -> RobustnessSection:
    """Read the scores that are kept; the picture is that of OUT/reports."""
    command = f"pctrans-bench robustness {results.spec.name} --out {out}"
    table = read_measured(results, out)
    if table is None:
        return RobustnessSection(command, (), HOW, Embedded(None, ""), ())
    path = robustness_paths(out, results.spec.name).picture
    drawn = (
        Picture(path, drawn_caption(path)) if path.is_file() else Picture(None, f"No picture: `{command}` draws it.")
    )
    grids = [("All conditions", summary_grid(table)), *((title(kind), kind_grid(table, kind)) for kind in KINDS)]
    return RobustnessSection(
        command=command,
        sentences=(*sentences(table), *table.left_out),
        how=HOW,
        picture=embed(drawn),
        grids=tuple((name, Grid(headings, lines, headings[1:2])) for name, (headings, lines) in grids),
    )
