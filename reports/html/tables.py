"""The section of one of the paper's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.plan.tables import Scalar
from benchmarks.store.run_file import RunFile
from reports.caption import caption
from reports.cells import Column, metric_columns
from reports.claims.writing import COMPARISON_HEADINGS, comparison_cells
from reports.collect import RowResults, TableResults
from reports.comparisons import against_reference
from reports.costs import COST_NOTE, cost_table
from reports.html.anatomy import ErrorSection, error_section
from reports.html.calibration import CalibrationSection, calibration_section
from reports.html.distributions import Distribution, distributions
from reports.html.grid import Grid
from reports.html.pictures import Embedded, embed
from reports.html.robustness import RobustnessSection, robustness_section
from reports.learning import RULE, learning_table, read_learning
from reports.notes import Note, note_of, row_notes, table_notes
from reports.origins import legend, marked_label
from reports.pictures import Picture, drawn_caption
from reports.results_folder import RunTable
from reports.table import ReportPaths
from reports.thresholds import threshold_rule, threshold_table

GAP = "–"


@dataclass(frozen=True)
class Measure:
    """The figures of one row by one metric, as printed."""

    published: str
    measured: str
    difference: str
    best_published: bool
    best_measured: bool
    sign: int  # 1, -1: significantly better, worse than the reference


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    number: int
    label: str
    switches: tuple[str, ...]
    measures: tuple[Measure, ...]
    jobs: tuple[tuple[int, str], ...]  # seed and key of each result
    note: int | None  # the number of the one that explains it
    gaps: int  # figures that are missing


@dataclass(frozen=True)
class TableSection:
    """Everything the page shows of one table."""

    name: str
    title: str
    run: RunFile
    caption: str
    notes: list[Note]
    row_heading: str
    switch_headings: list[str]
    metric_titles: list[str]
    lines: list[Line]
    legend: list[str]
    reference: str
    comparisons: Grid
    unpaired: Sequence[str]
    distributions: list[Distribution]
    thresholds: Grid
    threshold_rule: str
    costs: Grid
    cost_note: str
    errors: ErrorSection
    robustness: RobustnessSection
    calibration: CalibrationSection
    learning: Grid
    learning_rule: str
    learning_picture: Embedded
    segmentations: Embedded

    @property
    def short(self) -> str:
        """The short title, such as "Table 4"."""
        return f"Table {number}" if (number := self.name.removeprefix("table")).isdigit() else self.name


def table_section(run: RunTable, out: Path, written: Mapping[str, ReportPaths]) -> TableSection:
    """Make the section of a table, with the pictures in OUT/reports."""
    results = run.results
    spec = results.spec
    columns = metric_columns(results)
    against = against_reference(results)
    learning, learning_picture = _learning(results, out, written)
    notes = table_notes(results)
    headings, costs = cost_table(results)
    return TableSection(
        name=spec.name,
        title=spec.title,
        run=run.run,
        caption=caption(results),
        notes=notes,
        row_heading=spec.row_heading,
        switch_headings=[column.heading for column in spec.columns],
        metric_titles=[column.title for column in columns],
        lines=[_line(results, row, index, columns, notes) for index, row in enumerate(results.rows)],
        legend=legend(results.rows),
        reference=f"row {against.reference.number} ({against.reference.label})",
        comparisons=Grid(
            COMPARISON_HEADINGS[:-1],
            [comparison_cells(one) for one in against.comparisons.values()],
            COMPARISON_HEADINGS[:2],
        ),
        unpaired=against.unpaired,
        distributions=distributions(results),
        thresholds=_thresholds(results),
        threshold_rule=threshold_rule(results),
        costs=Grid(headings, costs, headings[1:2]),
        cost_note=COST_NOTE,
        errors=error_section(results, out),
        robustness=robustness_section(results, out),
        calibration=calibration_section(results, out),
        learning=learning,
        learning_rule=RULE,
        learning_picture=embed(learning_picture),
        segmentations=embed(_picture(spec.name, "segmentations", out, written)),
    )


def _thresholds(results: TableResults) -> Grid:
    headings, lines = threshold_table(results)
    return Grid(headings, lines, [headings[1], "chosen"])


def _learning(results: TableResults, out: Path, written: Mapping[str, ReportPaths]) -> tuple[Grid, Picture]:
    try:
        rows = read_learning(results, out)
    except UserError as error:
        return Grid([], []), Picture(None, str(error))
    headings, lines = learning_table(results, rows)
    grid = Grid(headings, lines, [headings[1], "verdict"]) if lines else Grid([], [])
    return grid, _picture(results.spec.name, "learning", out, written)


def _picture(name: str, kind: str, out: Path, written: Mapping[str, ReportPaths]) -> Picture:
    """Find the picture that was just drawn, or one from before, with the caption it carries."""
    if paths := written.get(name):
        return paths.segmentations if kind == "segmentations" else paths.learning
    path = out / "reports" / f"{name}_{kind}.png"
    if not path.is_file():
        return Picture(
            None, f"No picture: `pctrans-bench report {name} --out {out}` draws it, or says why there is none."
        )
    return Picture(path, drawn_caption(path))


def _line(results: TableResults, row: RowResults, index: int, columns: Sequence[Column], notes: Sequence[Note]) -> Line:
    marks = results.spec.marks(row.spec)
    return Line(
        number=row.number,
        label=marked_label(row),
        switches=tuple(_switch(marks.get(column.field, "")) for column in results.spec.columns),
        measures=tuple(_measure(column, index) for column in columns),
        jobs=tuple((result.seed, result.key) for result in row.results),
        note=note_of(notes, row),
        gaps=len(row_notes(row, results.spec.metrics)),
    )


def _measure(column: Column, index: int) -> Measure:
    return Measure(
        published=column.published[index] or GAP,
        measured=column.measured[index] or GAP,
        difference=(column.difference[index] or GAP).replace("-", "−"),
        best_published=index in column.best_published,
        best_measured=index in column.best_measured,
        sign=column.signs[index],
    )


def _switch(value: Scalar) -> str:
    return ("✓" if value else "") if isinstance(value, bool) else str(value)
