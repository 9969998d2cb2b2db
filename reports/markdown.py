"""A table as GitHub Markdown."""

from __future__ import annotations

import re

import pandas as pd
from tabulate import tabulate

from benchmarks.tables import Scalar
from reports.caption import caption, notes
from reports.cells import Column, metric_columns
from reports.collect import TableResults
from reports.frame import to_frame


def escape(text: str) -> str:
    """Any text as Markdown that prints it: no markup, no cell border, no HTML, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&!])", r"\\\1", " ".join(text.split()))


def table_markdown(results: TableResults, picture: str | None, picture_caption: str) -> str:
    """Figures, reasons for gaps, cost of each row and the picture, by its file name beside the report."""
    parts = [f"# {results.spec.title}", escape(" ".join(caption(results))), _figures(results)]
    parts += [f"{row.number}. {escape(' '.join(reasons))}" for row in results.rows if (reasons := notes(row))]
    parts += ["## Cost", _costs(results)]
    parts += ["## The same test image, row by row"]
    if picture:
        parts += [f"![Segmentations of each row]({picture})"]
    return "\n\n".join([*parts, escape(picture_caption)]) + "\n"


def _figures(results: TableResults) -> str:
    columns = metric_columns(results)
    headings = ["#", "row", *(escape(column.heading) for column in results.spec.columns)]
    headings += [f"{escape(column.title)} {kind}" for column in columns for kind in ("published", "measured")]
    lines = []
    for index, row in enumerate(results.rows):
        line = [str(row.number), escape(row.spec.label)]
        line += [_switch(value) for value in results.spec.marks(row.spec).values()]
        for column in columns:
            line += [_published(column, index), _measured(column, index)]
        lines.append(line)
    return _table(lines, headings)


def _costs(results: TableResults) -> str:
    frame = to_frame(results)
    lines = [
        [
            line["row"],
            escape(line["label"]),
            _number(line["parameters"], ",.0f"),
            _number(line["iterations"], ",.0f"),
            _number(line["train_seconds"], ",.0f"),
            _number(line["seconds_per_iteration"], ".3f"),
            _number(line["seconds_per_image"], ".3f"),
        ]
        for line in frame.to_dict("records")
    ]
    return _table(lines, ["#", "row", "parameters", "iterations", "training s", "s / iteration", "s / test image"])


def _table(lines: list[list[str]], headings: list[str]) -> str:
    # Figures are strings that say what is to be printed: tabulate must not parse and print them again.
    return tabulate(lines, headings, tablefmt="github", disable_numparse=True)


def _number(value: float, form: str) -> str:
    return "-" if pd.isna(value) else format(value, form)


def _switch(value: Scalar) -> str:
    if isinstance(value, bool):
        return "✓" if value else ""
    return escape(str(value))


def _published(column: Column, index: int) -> str:
    return _bold(column.published[index] or "-", index in column.best_published)


def _measured(column: Column, index: int) -> str:
    figure = column.measured[index]
    return _bold(str(figure) if figure else "-", index in column.best_measured)


def _bold(text: str, best: bool) -> str:
    return f"**{text}**" if best else text
