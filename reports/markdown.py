"""The Markdown report of a table."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.plan.tables import Scalar
from reports.caption import caption
from reports.cells import SIGNS, Column, metric_columns
from reports.collect import RowResults, TableResults
from reports.costs import COST_NOTE, cost_table
from reports.layout import FULL, Block, Kind, Layout, blocks, shown_rows
from reports.learning import RULE, RowLearning, learning_table
from reports.markdown_text import escape, escape_cells, format_table
from reports.notes import Note, note_of, table_notes
from reports.origins import legend, marked_label
from reports.pictures import Picture
from reports.thresholds import threshold_rule, threshold_table


def table_markdown(
    results: TableResults, rows: Sequence[RowLearning], segmentations: Picture, learning: Picture, layout: Layout = FULL
) -> str:
    """Write out figures in a layout, their notes, cost, learning and a test image of each row.

    Pictures are named as files beside the report.
    """
    blocks_shown, notes = blocks(results, layout), table_notes(results, layout)
    parts = [f"# {results.spec.title}", escape(caption(results))]
    for block in blocks_shown:
        parts += [f"**{block.title}**"] if block.title else []
        parts.append(_figures(results, block, notes, layout))
    parts += [escape(" ".join(sentences))] if (sentences := legend(shown_rows(blocks_shown))) else []
    parts.append("\n".join(f"{note.number}. {escape(note.text)}" for note in notes))
    parts += ["## Thresholds", *_thresholds(results), escape(threshold_rule(results))]
    parts += ["## Cost", _costs(results), COST_NOTE]
    parts += [
        "## Learning",
        *([_learning(results, rows), escape(RULE)] if rows else []),
        _picture("Learning curves", learning),
    ]
    parts += ["## The same test image, row by row", _picture("Segmentations of each row", segmentations)]
    return "\n\n".join(parts) + "\n"


def _picture(title: str, picture: Picture) -> str:
    caption = escape(picture.caption)
    return f"![{title}]({picture.path.name})\n\n{caption}" if picture.path else caption


def _figures(results: TableResults, block: Block, notes: Sequence[Note], layout: Layout) -> str:
    columns = metric_columns(results)
    headings = ["#", results.spec.row_heading, *(escape(column.heading) for column in results.spec.columns)]
    kinds = [f" {kind}" for kind in block.kinds] if len(block.kinds) > 1 else [""]
    headings += [escape(one.title) + kind for one in columns for kind in kinds]
    lines = []
    for index, row in block.rows:
        line = [str(row.number), escape(marked_label(row)) + _mark(notes, row)]
        marks = results.spec.marks(row.spec)
        line += [_switch(marks.get(column.field, "")) for column in results.spec.columns]
        line += [_cell(column, index, kind, layout) for column in columns for kind in block.kinds]
        lines.append(line)
    return format_table(headings, lines)


def _mark(notes: Sequence[Note], row: RowResults) -> str:
    """Point to the note of a row."""
    number = note_of(notes, row)
    return f" <sup>{number}</sup>" if number else ""


def _cell(column: Column, index: int, kind: Kind, layout: Layout) -> str:
    if kind == "published":
        return _published(column, index)
    if kind == "difference":
        return column.difference[index] or "-"
    return _measured(column, index) + (SIGNS[column.signs[index]] if layout.shows_signs else "")


def _costs(results: TableResults) -> str:
    headings, lines = cost_table(results)
    return format_table(headings, escape_cells(lines))


def _thresholds(results: TableResults) -> list[str]:
    """The table of thresholds; empty where nothing was chosen."""
    headings, lines = threshold_table(results)
    return [format_table(headings, escape_cells(lines))] if lines else []


def _learning(results: TableResults, rows: Sequence[RowLearning]) -> str:
    headings, lines = learning_table(results, rows)
    return format_table(headings, escape_cells(lines))


def _switch(value: Scalar) -> str:
    if isinstance(value, bool):
        return "✓" if value else ""
    return escape(str(value))


def _published(column: Column, index: int) -> str:
    return _bold(column.published[index] or "-", index in column.best_published)


def _measured(column: Column, index: int) -> str:
    return _bold(column.measured[index] or "-", index in column.best_measured)


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best else text
