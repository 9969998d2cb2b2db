"""The Markdown report of a table."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.plan.tables import Scalar
from reports.caption import caption, explained
from reports.cells import SIGNS, Column, metric_columns
from reports.collect import TableResults
from reports.costs import COST_NOTE, cost_table
from reports.learning import RULE, RowLearning, learning_table
from reports.markdown_text import escape, escape_cells, format_table
from reports.origins import legend, marked_label
from reports.pictures import Picture
from reports.thresholds import threshold_rule, threshold_table


def table_markdown(
    results: TableResults, rows: Sequence[RowLearning], segmentations: Picture, learning: Picture
) -> str:
    """Write out figures, reasons for gaps, cost, learning and a test image of each row.

    Pictures are named as files beside the report.
    """
    parts = [f"# {results.spec.title}", escape(" ".join(caption(results))), _figures(results)]
    parts += [escape(" ".join(sentences))] if (sentences := legend(results.rows)) else []
    parts += [f"{row.number}. {escape(' '.join(reasons))}" for row, reasons in explained(results)]
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


def _figures(results: TableResults) -> str:
    columns = metric_columns(results)
    headings = ["#", results.spec.row_heading, *(escape(column.heading) for column in results.spec.columns)]
    headings += [
        f"{escape(column.title)} {kind}" for column in columns for kind in ("published", "measured", "difference")
    ]
    lines = []
    for index, row in enumerate(results.rows):
        line = [str(row.number), escape(marked_label(row))]
        marks = results.spec.marks(row.spec)
        line += [_switch(marks.get(column.field, "")) for column in results.spec.columns]
        for column in columns:
            line += [_published(column, index), _measured(column, index), column.difference[index] or "-"]
        lines.append(line)
    return format_table(headings, lines)


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
    return _bold(column.measured[index] or "-", index in column.best_measured) + SIGNS[column.signs[index]]


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best else text
