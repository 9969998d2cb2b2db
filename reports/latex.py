"""A table as LaTeX: a fragment to \\input, and a document that compiles by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from benchmarks.plan.tables import Scalar, TableSpec
from reports.caption import caption, notes
from reports.cells import SIGNS, Column, metric_columns
from reports.collect import RowResults, TableResults
from reports.costs import COST_NOTE, cost_table
from reports.origins import legend, marked_label
from reports.pictures import Picture

# Characters that pdfTeX with the packages of PREAMBLE cannot print as they stand. Long paths may break. The end of
# a row takes a `*` or `[` that begins the next one for its own.
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_\allowbreak{}", "/": r"/\allowbreak{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "[": "{[}", "]": "{]}", "*": "{*}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}", "-": "-{}",
    "✓": r"\checkmark{}", "±": r"$\pm$", "×": r"$\times$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "▲": r"$\blacktriangle$", "▼": r"$\blacktriangledown$", "τ": r"$\tau$", "−": r"$-$",
    "†": r"$^{\dagger}$", "‡": r"$^{\ddagger}$", "§": r"$^{\S}$", "–": "--", "—": "---",
}  # fmt: skip

KINDS = ("published", "measured", "difference")

PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\IfFileExists{cmap.sty}{\usepackage{cmap}}{}
\usepackage[T1]{fontenc}
\usepackage[margin=18mm]{geometry}
\usepackage{amssymb,booktabs,graphicx,textcomp}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\renewcommand{\topfraction}{1}
\renewcommand{\textfraction}{0}
\pagestyle{empty}
"""


def escape(text: str) -> str:
    """Escape any text so that LaTeX prints it and never obeys it.

    Control characters become spaces; characters that the fonts may lack become their code points.
    """
    escaped = "".join(_SPECIAL.get(letter) or _plain(letter) for letter in text)
    return re.sub(",(?=,)", ",{}", escaped)  # two are one low quotation mark


def _plain(letter: str) -> str:
    if not letter.isprintable():
        return " "
    latin = letter.isascii() or (letter.isalpha() and ord(letter) < 0x100)
    return letter if latin else f"{{[}}U+{ord(letter):04X}{{]}}"


def table_fragment(results: TableResults) -> str:
    """Write the floating table: published, measured and their difference, the best in bold, gaps explained below."""
    spec = results.spec
    columns = metric_columns(results)
    leading = max(1, len(spec.columns))
    lines = [
        r"% Written by pctrans-bench. Needs \usepackage{amssymb,booktabs,graphicx,textcomp},",
        r"% \usepackage[T1]{fontenc}; in two columns it spans both.",
        r"\begin{table*}[t]",
        r"\centering",
        r"\setlength{\belowcaptionskip}{6pt}",
        r"\caption{\small " + escape(" ".join(caption(results))) + "}",
        r"\label{tab:" + spec.name + "}",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        # Four metrics beside six switches are wider than some pages.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        r"\begin{tabular}{" + ("c" * leading if spec.columns else "l") + "rrr" * len(columns) + "}",
        r"\toprule",
        _line(
            ([rf"\multicolumn{{1}}{{c}}{{{column.latex}}}" for column in spec.columns] or ["method"])
            + [rf"\multicolumn{{3}}{{c}}{{{escape(column.title)}}}" for column in columns]
        ),
        " ".join(rf"\cmidrule(lr){{{first}-{first + 2}}}" for first in _first_columns(leading, len(columns))),
        _line([""] * leading + [rf"{{\scriptsize {kind}}}" for kind in KINDS] * len(columns)),
    ]
    footnotes = [rf"{escape(sentence)}\par" for sentence in legend(results.rows)]
    gaps: list[str] = []
    rows = [(index, row, _footnote(gaps, notes(row, results.spec.metrics))) for index, row in enumerate(results.rows)]
    for _, group in groupby(rows, lambda item: _group(item[1])):
        lines.append(r"\midrule")
        for index, row, mark in group:
            lines.append(_line([_leading(spec, row), *_figures(columns, index, mark)]))
            lines += _spreads(leading, columns, index)
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if below := footnotes + gaps:
        lines += [
            r"\par\smallskip",
            r"\begin{minipage}{\linewidth}\footnotesize",
            *below,
            r"\end{minipage}",
        ]
    return "\n".join([*lines, r"\end{table*}", ""])


def cost_fragment(results: TableResults) -> str:
    """Write the floating table of the costs of the rows that were run here."""
    headings, lines = cost_table(results)
    return "\n".join(
        [
            r"% Written by pctrans-bench. Needs \usepackage{booktabs,graphicx,textcomp}, \usepackage[T1]{fontenc}.",
            r"\begin{table*}[t]",
            r"\centering",
            r"\setlength{\belowcaptionskip}{6pt}",
            rf"\caption{{\small Cost: {escape(results.spec.title)}. {escape(COST_NOTE)}}}",
            rf"\label{{tab:{results.spec.name}-costs}}",
            r"\footnotesize",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            r"\begin{tabular}{rl" + "r" * (len(headings) - 2) + "}",
            r"\toprule",
            _line(escape(heading) for heading in headings),
            r"\midrule",
            *(_line(escape(cell) for cell in line) for line in lines),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def combined_document(tables: Sequence[TableResults]) -> str:
    """Write a document of all tables and then all costs; their fragments lie beside it.

    Costs come last, so that the tables are numbered as in the paper.
    """
    figures, costs = zip(*map(fragment_names, tables), strict=True) if tables else ((), ())
    fragments = [*figures, *costs]
    return "\n".join(
        [
            PREAMBLE + r"\makeatletter\setlength{\@fptop}{0pt}\setlength{\@fpsep}{24pt}\makeatother",
            r"\begin{document}",
            *(rf"\input{{{name}}}" for name in fragments),
            r"\end{document}",
            "",
        ]
    )


def fragment_names(results: TableResults) -> tuple[str, str]:
    """File names of a table's two fragments: figures and costs."""
    return f"{results.spec.name}.tex", f"{results.spec.name}_costs.tex"


def document(fragments: Sequence[str], pictures: Sequence[Picture]) -> str:
    """Write a document of the fragments and of those pictures that exist, all of which lie beside it."""
    figures = [
        line
        for picture in pictures
        if picture.path
        for line in (
            r"\begin{figure*}[t]",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{picture.path.name}}}",
            rf"\caption{{{escape(picture.caption)}}}",
            r"\end{figure*}",
        )
    ]
    # Without \null on the page, LaTeX would centre the floats on pages of their own.
    body = [
        r"\begin{document}",
        r"\null",
        *(rf"\input{{{name}}}" for name in fragments),
        *figures,
        r"\end{document}",
        "",
    ]
    return PREAMBLE + "\n".join(body)


def _group(row: RowResults) -> str:
    """Name a row's group; the rows of a group stand between the same two rules."""
    if row.origin in ("quoted", "external"):
        return row.origin
    return "apart" if row.spec.apart else "run here"


def _leading(spec: TableSpec, row: RowResults) -> str:
    """Write what identifies a row: its switches if it has any, else its label."""
    if marks := spec.marks(row.spec):
        return _joined(_switch(value) for value in marks.values())
    label = escape(marked_label(row))
    return rf"\multicolumn{{{len(spec.columns)}}}{{l}}{{{label}}}" if spec.columns else label


def _spreads(leading: int, columns: Sequence[Column], index: int) -> list[str]:
    """Write standard deviations in small print on a line below their means: beside them, columns would be too wide."""
    spreads = [(column.measured[index] or "").partition(" ± ")[2] for column in columns]
    if not any(spreads):
        return []
    cells = (rf"{{\scriptsize$\pm$\,{spread}}}" if spread else "" for spread in spreads)
    return [_line([""] * leading + [cell for spread in cells for cell in ("", spread, "")]) + "[2pt]"]


def _figures(columns: Sequence[Column], index: int, mark: str) -> list[str]:
    return [
        cell
        for column in columns
        for cell in (_published(column, index), _measured(column, index) + mark, _difference(column, index))
    ]


def _line(cells: Iterable[str]) -> str:
    return _joined(cells) + r" \\"


def _joined(cells: Iterable[str]) -> str:
    return " & ".join(cells)


def _first_columns(leading: int, metrics: int) -> range:
    """Number the first of each metric's three columns, counted from 1."""
    return range(leading + 1, leading + 3 * metrics, 3)


def _switch(value: Scalar) -> str:
    if isinstance(value, bool):
        return r"\checkmark" if value else ""
    return escape(str(value))


def _published(column: Column, index: int) -> str:
    figure = column.published[index]
    return _bold(escape(figure) if figure else "--", index in column.best_published)


def _measured(column: Column, index: int) -> str:
    mean = (column.measured[index] or "--").partition(" ± ")[0]
    sign = escape(SIGNS[column.signs[index]])
    # Marks hang in the margin, so that digits stay aligned.
    return _bold(mean, index in column.best_measured) + (rf"\rlap{{\scriptsize\,{sign}}}" if sign else "")


def _difference(column: Column, index: int) -> str:
    return rf"{{\scriptsize${column.difference[index]}$}}" if column.difference[index] else "--"


def _bold(text: str, best: bool) -> str:
    return rf"\textbf{{{text}}}" if best else text


def _footnote(footnotes: list[str], reasons: list[str]) -> str:
    """Add the reasons as a footnote; return the mark that points to it, empty without reasons."""
    if not reasons:
        return ""
    mark = rf"$^{{{len(footnotes) + 1}}}$"
    footnotes.append(rf"{mark} {escape(' '.join(reasons))}\par")
    return mark
