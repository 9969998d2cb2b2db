"""A table as LaTeX: a fragment to \\input, and a document that compiles by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.tables import Scalar
from reports.caption import caption, notes
from reports.cells import Column, Figure, metric_columns
from reports.collect import TableResults

# What pdfTeX with the packages of PREAMBLE cannot print as it stands; a break is allowed in long paths.
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_\allowbreak{}", "/": r"/\allowbreak{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}", "`": r"\textasciigrave{}", "-": "-{}",
    "✓": r"\checkmark{}", "±": r"$\pm$", "×": r"$\times$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
}  # fmt: skip

PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage[margin=18mm]{geometry}
\usepackage{amssymb,booktabs,graphicx,textcomp}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\renewcommand{\topfraction}{1}
\renewcommand{\textfraction}{0}
\pagestyle{empty}
"""


def escape(text: str) -> str:
    """Any text as LaTeX that prints it: never a command, whatever it holds.

    Control characters become spaces; what the fonts may lack, beyond Latin-1 letters, its code point.
    """
    return "".join(_SPECIAL.get(letter) or _plain(letter) for letter in text)


def _plain(letter: str) -> str:
    if not letter.isprintable():
        return " "
    latin = letter.isascii() or (letter.isalpha() and ord(letter) < 0x100)
    return letter if latin else f"[U+{ord(letter):04X}]"


def table_fragment(results: TableResults) -> str:
    """The floating table: published and measured side by side, best in bold, gaps explained below."""
    spec = results.spec
    columns = metric_columns(results)
    switches = len(spec.columns)
    lines = [
        r"% Written by pctrans-bench. Needs \usepackage{amssymb,booktabs,graphicx,textcomp},",
        r"% \usepackage[T1]{fontenc}; in two columns it spans both.",
        r"\begin{table*}[t]",
        r"\centering",
        r"\setlength{\belowcaptionskip}{6pt}",
        r"\caption{" + escape(" ".join(caption(results))) + "}",
        r"\label{tab:" + spec.name + "}",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        # A table with spreads over seeds is wider than some pages.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        r"\begin{tabular}{" + "c" * switches + "rr" * len(columns) + "}",
        r"\toprule",
        _line(
            [rf"\multicolumn{{1}}{{c}}{{{column.latex}}}" for column in spec.columns]
            + [rf"\multicolumn{{2}}{{c}}{{{escape(column.title)}}}" for column in columns]
        ),
        " ".join(rf"\cmidrule(lr){{{first}-{first + 1}}}" for first in _pairs(switches, len(columns))),
        _line([""] * switches + ["published", "measured"] * len(columns)),
        r"\midrule",
    ]
    footnotes: list[str] = []
    for index, row in enumerate(results.rows):
        mark = _footnote(footnotes, notes(row))
        cells = [_switch(value) for value in spec.marks(row.spec).values()]
        for column in columns:
            cells += [_published(column, index), _measured(column, index) + mark]
        lines.append(_line(cells))
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if footnotes:
        lines += [
            r"\par\smallskip",
            r"\begin{minipage}{\linewidth}\footnotesize",
            *footnotes,
            r"\end{minipage}",
        ]
    return "\n".join([*lines, r"\end{table*}", ""])


def document(fragment: str, picture: str | None, picture_caption: str) -> str:
    """A document around the fragment and the picture, by their file names beside it."""
    figure = []
    if picture:
        figure = [
            r"\begin{figure*}[t]",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{picture}}}",
            rf"\caption{{{escape(picture_caption)}}}",
            r"\end{figure*}",
        ]
    # Without anything on the page, \null, LaTeX would centre the floats on pages of their own.
    body = [r"\begin{document}", r"\null", rf"\input{{{fragment}}}", *figure, r"\end{document}", ""]
    return PREAMBLE + "\n".join(body)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _pairs(switches: int, metrics: int) -> range:
    """First column of each metric's pair, counted from 1."""
    return range(switches + 1, switches + 2 * metrics, 2)


def _switch(value: Scalar) -> str:
    if isinstance(value, bool):
        return r"\checkmark" if value else ""
    return escape(str(value))


def _published(column: Column, index: int) -> str:
    return _bold(escape(column.published[index] or "-"), index in column.best_published)


def _measured(column: Column, index: int) -> str:
    figure = column.measured[index]
    return _bold(_figure(figure) if figure else "--", index in column.best_measured)


def _figure(figure: Figure) -> str:
    return re.sub(" ± ", r"\\,$\\pm$\\,", str(figure))


def _bold(text: str, best: bool) -> str:
    return rf"\textbf{{{text}}}" if best else text


def _footnote(footnotes: list[str], reasons: list[str]) -> str:
    """Add the reasons below the table; the mark that points there, empty where there is nothing to say."""
    if not reasons:
        return ""
    mark = rf"$^{{{len(footnotes) + 1}}}$"
    footnotes.append(rf"{mark} {escape(' '.join(reasons))}\par")
    return mark
