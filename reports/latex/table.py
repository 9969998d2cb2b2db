"""One of the paper's tables as a floating table with its notes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from benchmarks.plan.tables import Scalar, TableSpec
from reports.caption import caption
from reports.cells import SIGNS, Column, metric_columns
from reports.collect import RowResults, TableResults
from reports.latex.text import escape, table_line
from reports.layout import FULL, Block, Kind, Layout, blocks, shown_rows
from reports.notes import Note, note_of, table_notes
from reports.origins import legend, marked_label


def table_fragment(results: TableResults, layout: Layout = FULL) -> str:
    """Write the floating table in a layout: the best in bold, everything that has to be said of it in notes below."""
    spec, parts = results.spec, blocks(results, layout)
    columns, notes = metric_columns(results), table_notes(results, layout)
    leading, kinds = max(1, len(spec.columns)), parts[0].kinds
    alignment = ("c" * leading if spec.columns else "l") + "r" * len(kinds) * len(columns)
    lines = [
        r"% Written by pctrans-bench. Needs \usepackage{amssymb,booktabs,graphicx,textcomp,threeparttable},",
        r"% \usepackage[T1]{fontenc}; in two columns it spans both.",
        r"\begin{table*}[t]",
        r"\centering",
        r"\begin{threeparttable}",
        r"\caption{\small " + escape(caption(results)) + "}",
        r"\label{tab:" + spec.name + "}",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{" + ("6pt" if layout.paper else "3pt") + "}",
        # threeparttable gives caption and notes the width of the outer one. Four metrics beside six switches are
        # wider than some pages.
        r"\begin{tabular}{@{}p{\linewidth}@{}}\centering",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        r"\begin{tabular}{" + alignment + "}",
        r"\toprule",
        *_headings(spec, columns, leading, kinds),
    ]
    for block in parts:
        lines += _block(results, block, columns, notes, layout)
    lines += [r"\bottomrule", r"\end{tabular}}", r"\end{tabular}"]
    lines += _below(notes, legend(shown_rows(parts)))
    return "\n".join([*lines, r"\end{threeparttable}", r"\end{table*}", ""])


def _headings(spec: TableSpec, columns: Sequence[Column], leading: int, kinds: Sequence[Kind]) -> list[str]:
    """Write the headings; the kinds of figures have a line where there are several."""
    count = len(kinds)
    first = [rf"\multicolumn{{1}}{{c}}{{{column.latex}}}" for column in spec.columns] or ["method"]
    lines = [table_line([*first, *(rf"\multicolumn{{{count}}}{{c}}{{{escape(one.title)}}}" for one in columns)])]
    if count > 1:
        starts = range(leading + 1, leading + count * len(columns), count)
        lines.append(" ".join(rf"\cmidrule(lr){{{start}-{start + count - 1}}}" for start in starts))
        lines.append(table_line([""] * leading + [rf"{{\scriptsize {kind}}}" for kind in kinds] * len(columns)))
    return lines


def _block(
    results: TableResults, block: Block, columns: Sequence[Column], notes: Sequence[Note], layout: Layout
) -> list[str]:
    leading = max(1, len(results.spec.columns))
    width = leading + len(block.kinds) * len(columns)
    lines: list[str] = []
    for _, group in groupby(block.rows, lambda item: _group(item[1])):
        lines.append(r"\midrule")
        if block.title and len(lines) == 1:
            lines.append(table_line([rf"\multicolumn{{{width}}}{{l}}{{\emph{{{block.title}}}}}"]))
        for index, row in group:
            number = note_of(notes, row)
            mark = rf"\tnote{{{number}}}" if number else ""
            lines.append(table_line([_leading(results.spec, row), *_figures(columns, index, mark, block, layout)]))
            lines += [] if layout.paper else _spreads(leading, columns, index)
    return lines


def _below(notes: Sequence[Note], marks: Sequence[str]) -> list[str]:
    """Write the notes; those of a mark that labels carry stand under that mark."""
    items = [rf"\item[{note.number}] {escape(note.text)}" for note in notes]
    # threeparttable raises what stands in brackets; what is raised already would be too small.
    legends = (one.partition(" ") for one in marks)
    items += [rf"\item[{escape(mark).replace('^', '')}] {escape(meaning)}" for mark, _, meaning in legends]
    settings = r"\renewcommand{\TPTnoteSettings}{\leftmargin1.5em \labelwidth1.2em \labelsep.3em\relax}"
    return [r"{\footnotesize" + settings, r"\begin{tablenotes}", *items, r"\end{tablenotes}}"]


def _group(row: RowResults) -> str:
    """Name a row's group; the rows of a group stand between the same two rules."""
    if row.origin in ("quoted", "external"):
        return row.origin
    return "apart" if row.spec.apart else "run here"


def _leading(spec: TableSpec, row: RowResults) -> str:
    """Write what identifies a row: its switches if it has any, else its label."""
    if marks := spec.marks(row.spec):
        return " & ".join(_switch(value) for value in marks.values())
    label = escape(marked_label(row))
    return rf"\multicolumn{{{len(spec.columns)}}}{{l}}{{{label}}}" if spec.columns else label


def _spreads(leading: int, columns: Sequence[Column], index: int) -> list[str]:
    """Write standard deviations in small print on a line below their means: beside them, columns would be too wide."""
    spreads = [(column.measured[index] or "").partition(" ± ")[2] for column in columns]
    if not any(spreads):
        return []
    cells = (rf"{{\scriptsize$\pm$\,{spread}}}" if spread else "" for spread in spreads)
    return [table_line([""] * leading + [cell for spread in cells for cell in ("", spread, "")]) + "[2pt]"]


def _figures(columns: Sequence[Column], index: int, mark: str, block: Block, layout: Layout) -> list[str]:
    def cell(column: Column, kind: Kind) -> str:
        if kind == "published":
            return _published(column, index)
        if kind == "difference":
            return _difference(column, index)
        return _measured(column, index, layout) + mark

    return [cell(column, kind) for column in columns for kind in block.kinds]


def _switch(value: Scalar) -> str:
    if isinstance(value, bool):
        return r"\checkmark" if value else ""
    return escape(str(value))


def _published(column: Column, index: int) -> str:
    figure = column.published[index]
    return _bold(escape(figure) if figure else "--", index in column.best_published)


def _measured(column: Column, index: int, layout: Layout) -> str:
    mean, _, spread = (column.measured[index] or "--").partition(" ± ")
    text = _bold(mean, index in column.best_measured)
    if layout.paper:
        return text + (rf"{{\scriptsize$\,\pm\,${spread}}}" if spread else "")
    # Marks hang in the margin, so that digits stay aligned.
    sign = escape(SIGNS[column.signs[index]])
    return text + (rf"\rlap{{\scriptsize\,{sign}}}" if sign else "")


def _difference(column: Column, index: int) -> str:
    return rf"{{\scriptsize${column.difference[index]}$}}" if column.difference[index] else "--"


def _bold(text: str, best: bool) -> str:
    return rf"\textbf{{{text}}}" if best else text
