"""A table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.caption import caption
from reports.cells import SIGNS, Column, metric_columns
from reports.collect import TableResults
from reports.layout import FULL, Block, Layout, blocks, shown_rows
from reports.notes import Note, table_notes
from reports.origins import legend, marked_label


def render_console(results: TableResults, layout: Layout = FULL) -> Group:
    """Render measured figures above the published ones, with caption and notes.

    Spreads have a line of their own, so that a table fits into 80 columns.
    """
    columns, parts = metric_columns(results), blocks(results, layout)
    shown: list[RenderableType] = [Text(results.spec.title, "bold"), Text(caption(results))]
    for block in parts:
        shown += [Text(block.title, "italic")] if block.title else []
        shown.append(_table(results, columns, block, layout))
    shown.append(Text(" ".join([_key(columns, parts[0], layout), *legend(shown_rows(parts))]), "dim"))
    return Group(*shown, _notes(table_notes(results, layout)))


def _table(results: TableResults, columns: Sequence[Column], block: Block, layout: Layout) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column(results.spec.row_heading, overflow="fold")
    for column in columns:
        # Digits are never cut: where there is no room, first the names of rows, then the figures take several lines.
        cells = [_cell(column, index, block, layout) for index, _ in block.rows]
        width = max([len(line) for cell in cells for line in cell.plain.split("\n")] + [len(column.title)])
        table.add_column(Text(column.title), justify="right", overflow="fold", min_width=width)
    for index, row in block.rows:
        figures = [_cell(column, index, block, layout) for column in columns]
        table.add_row(str(row.number), Text(marked_label(row)), *figures)
    return table


def _key(columns: Sequence[Column], block: Block, layout: Layout) -> str:
    """Say what the lines of a cell are."""
    several = any(" ± " in (cell or "") for column in columns for cell in column.measured)
    parts = ["First line: measured."] if several or len(block.kinds) > 1 else ["Measured."]
    parts += ["Below it: ± standard deviation over seeds."] if several else []
    parts += ["Last line: published."] if len(block.kinds) > 1 else []
    return " ".join(parts)


def _notes(notes: Sequence[Note]) -> Table:
    """Lay out the notes so that those that are longer than a line go on below their text."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for note in notes:
        table.add_row(Text(str(note.number), "dim"), Text(note.text, "yellow" if note.row else "dim"))
    return table


def _cell(column: Column, index: int, block: Block, layout: Layout) -> Text:
    published = column.published[index]
    if block.kinds == ("published",):
        return Text(published or "-", "bold" if index in column.best_published else "")
    mean, spread, std = (column.measured[index] or "-").partition(" ± ")
    text = Text(mean, "bold" if index in column.best_measured else "")
    if layout.shows_signs:
        text.append(SIGNS[column.signs[index]])
    if spread:
        text.append(f"\n± {std}")
    if "published" in block.kinds and published:
        text.append(f"\n{published}", "dim")
    return text
