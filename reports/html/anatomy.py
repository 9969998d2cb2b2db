"""The part of a table's section that says what each kind of error costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reports.anatomy import read_dissected
from reports.anatomy.files import BARS, IMAGES
from reports.anatomy.losses import differences, row_losses
from reports.anatomy.writing import (
    DIFFERENCES,
    FATES,
    HOW,
    difference_grid,
    fate_grid,
    share_grid,
    sizes,
    summary,
)
from reports.collect import TableResults
from reports.html.grid import Grid
from reports.html.pictures import Embedded, embed
from reports.pictures import Picture, drawn_caption


@dataclass(frozen=True)
class ErrorSection:
    """What each kind of error costs; `grids` has the title, a note and the table of each, none where nothing is stored.

    Attributes:
        command: what measures the errors.
        sentences: what each row loses most to, and jobs that are left out.
        how: what the terms mean.
    """

    command: str
    sentences: tuple[str, ...]
    how: str
    bars: Embedded
    images: Embedded
    grids: tuple[tuple[str, str, Grid], ...]


def error_section(results: TableResults, out: Path) -> ErrorSection:
    """Read the errors that are stored; pictures are those that lie in OUT/reports."""
    command = f"pctrans-bench errors {results.spec.name} --out {out}"
    table = read_dissected(results, out)
    if table is None:
        nothing = Embedded(None, "")
        return ErrorSection(command, (), HOW, nothing, nothing, ())
    losses, found, heading = row_losses(table), differences(table), results.spec.row_heading
    grids = [("PQ lost to each kind", "", _grid(share_grid(losses, heading)))]
    if found.found:
        grids.append(("Against the reference, kind by kind", DIFFERENCES, _grid(difference_grid(found, heading), 1, 2)))
    grids.append(("By size and crowding", " ".join((FATES, *sizes(table))), _grid(fate_grid(table), 1, 2)))
    return ErrorSection(
        command=command,
        sentences=(*summary(losses, found), *table.left_out),
        how=HOW,
        bars=embed(_picture(results, out, BARS, command)),
        images=embed(_picture(results, out, IMAGES, command)),
        grids=tuple(grids),
    )


def _grid(cells: tuple[list[str], list[list[str]]], *text: int) -> Grid:
    headings, lines = cells
    return Grid(headings, lines, [headings[index] for index in text or (1,)])


def _picture(results: TableResults, out: Path, kind: str, command: str) -> Picture:
    path = out / "reports" / f"{results.spec.name}_{kind}.png"
    if not path.is_file():
        return Picture(None, f"No picture: `{command}` draws it, or says why there is none.")
    return Picture(path, drawn_caption(path))
