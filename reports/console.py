"""A table on the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from reports.caption import caption, explained
from reports.cells import SIGNS, Column, metric_columns
from reports.collect import TableResults
from reports.origins import legend, marked_label


def render_console(results: TableResults) -> Group:
    """Render measured figures above the published ones, with gaps and caption.

    Spreads have a line of their own, so that a table fits into 80 columns.
    """
    columns = metric_columns(results)
    table = Table(title=Text(results.spec.title, "bold"), title_justify="left", box=SIMPLE_HEAD)
    table.add_column("#", justify="right")
    table.add_column(results.spec.row_heading, min_width=max(len(marked_label(row)) for row in results.rows))
    for column in columns:
        table.add_column(Text(column.title), justify="right", no_wrap=True)
    for index, row in enumerate(results.rows):
        cells = [_cell(column, index) for column in columns]
        table.add_row(str(row.number), Text(marked_label(row)), *cells)
    missing = [Text(f"row {row.number}: {' '.join(reasons)}", "yellow") for row, reasons in explained(results)]
    spread = (
        " Below it: ± standard deviation over seeds."
        if any(" ± " in (cell or "") for column in columns for cell in column.measured)
        else ""
    )
    key = Text(" ".join([f"First line: measured.{spread} Last line: published.", *legend(results.rows)]), "dim")
    return Group(table, key, *missing, Text(" ".join(caption(results)), "dim"))


def _cell(column: Column, index: int) -> Text:
    mean, spread, std = (column.measured[index] or "-").partition(" ± ")
    text = Text(mean, "bold" if index in column.best_measured else "")
    text.append(SIGNS[column.signs[index]])
    if spread:
        text.append(f"\n± {std}")
    if published := column.published[index]:
        text.append(f"\n{published}", "dim")
    return text
