"""Write a table's reports beside the results they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.errors import UserError
from benchmarks.files import spreadsheet_cell, write_atomic
from reports.collect import TableResults
from reports.figures.records import FigureRecord, read_record, record_paths
from reports.frame import to_frame
from reports.latex import combined_document, cost_fragment, document, fragment_names, table_fragment
from reports.layout import FULL, Layout
from reports.learning import RowLearning, read_learning
from reports.learning_picture import draw_learning
from reports.markdown import table_markdown
from reports.pictures import Picture
from reports.segmentations import draw_segmentations


@dataclass(frozen=True)
class ReportPaths:
    """The paths of one table's reports."""

    tex: Path  # a fragment to \input
    costs: Path  # another
    document: Path  # compiles by itself, in its folder
    markdown: Path
    csv: Path
    segmentations: Picture
    learning: Picture

    @property
    def files(self) -> list[Path]:
        """All files that were written."""
        pictures = [picture.path for picture in (self.segmentations, self.learning) if picture.path]
        return [self.tex, self.costs, self.document, self.markdown, self.csv, *pictures]


def write_table(results: TableResults, out: Path, layout: Layout = FULL) -> ReportPaths:
    """Write OUT/reports/<table>.tex, _costs.tex, _document.tex, .md, .csv, <table>_segmentations.png and _learning.png.

    Without the data, or without predictions, everything but the picture of segmentations is written; without
    curves, everything but that of learning.

    Args:
        results: collected from `out`, where jobs keep their predictions and curves.
        layout: of the figures in LaTeX and Markdown; the CSV has everything.
    """
    name, folder = results.spec.name, out / "reports"
    segmentations = _picture(folder / f"{name}_segmentations.png", lambda path: draw_segmentations(results, out, path))
    learning, rows = _learning(results, out, folder / f"{name}_learning.png")
    figures, costs = fragment_names(results)
    paths = ReportPaths(
        tex=folder / figures,
        costs=folder / costs,
        document=folder / f"{name}_document.tex",
        markdown=folder / f"{name}.md",
        csv=folder / f"{name}.csv",
        segmentations=segmentations,
        learning=learning,
    )
    write_atomic(paths.tex, table_fragment(results, layout))
    write_atomic(paths.costs, cost_fragment(results))
    write_atomic(paths.document, document([paths.tex.name, paths.costs.name], [paths.segmentations, paths.learning]))
    write_atomic(paths.markdown, table_markdown(results, rows, paths.segmentations, paths.learning, layout))
    write_atomic(paths.csv, _for_spreadsheets(to_frame(results)).to_csv(index=False))
    return paths


def write_combined(tables: Sequence[TableResults], out: Path) -> Path:
    """Write OUT/reports/tables.tex, one LaTeX document of tables and figures whose own reports are there already."""
    path = out / "reports" / "tables.tex"
    write_atomic(path, combined_document(tables, _drawn(out)))
    return path


def _drawn(out: Path) -> list[FigureRecord]:
    found = []
    for path in record_paths(out):
        with suppress(UserError):  # the HTML page says why it is not shown
            record = read_record(path)
            if (out / "reports" / record.pdf).is_file():
                found.append(record)
    return found


def _for_spreadsheets(frame: pd.DataFrame) -> pd.DataFrame:
    """Make labels such as "+ coordinates" text that no spreadsheet takes for a formula."""
    texts = [name for name in frame if pd.api.types.is_string_dtype(frame[name])]
    return frame.assign(**{str(name): frame[name].map(spreadsheet_cell, na_action="ignore") for name in texts})


def _learning(results: TableResults, out: Path, path: Path) -> tuple[Picture, list[RowLearning]]:
    try:
        rows = read_learning(results, out)
    except UserError as error:
        return Picture(None, str(error)), []
    return _picture(path, lambda path: draw_learning(results, rows, path)), rows


def _picture(path: Path, draw: Callable[[Path], str]) -> Picture:
    """Draw a picture; `draw` returns its caption, or raises UserError where there is nothing to draw."""
    try:
        return Picture(path, draw(path))
    except UserError as error:
        return Picture(None, str(error))
