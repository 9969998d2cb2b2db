"""Documents of tables, and the table of costs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reports.collect import TableResults
from reports.costs import COST_NOTE, cost_table
from reports.figures.records import FigureRecord
from reports.latex.text import escape, table_line
from reports.pictures import Picture

PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\IfFileExists{cmap.sty}{\usepackage{cmap}}{}
\usepackage[T1]{fontenc}
\usepackage[margin=18mm]{geometry}
\usepackage{amssymb,booktabs,graphicx,textcomp,threeparttable}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\renewcommand{\topfraction}{1}
\renewcommand{\textfraction}{0}
\pagestyle{empty}
"""


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
            table_line(escape(heading) for heading in headings),
            r"\midrule",
            *(table_line(escape(cell) for cell in line) for line in lines),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            "",
        ]
    )


def combined_document(tables: Sequence[TableResults], drawn: Sequence[FigureRecord] = ()) -> str:
    """Write a document of all tables, all figures and then all costs; what they are made of lies beside it.

    Costs come last, so that the tables are numbered as in the paper; figures have the paper's numbers.
    """
    figures, costs = zip(*map(fragment_names, tables), strict=True) if tables else ((), ())
    return "\n".join(
        [
            PREAMBLE + r"\makeatletter\setlength{\@fptop}{0pt}\setlength{\@fpsep}{24pt}\makeatother",
            r"\begin{document}",
            *(rf"\input{{{name}}}" for name in figures),
            *(line for record in drawn for line in _figure(record)),
            *(rf"\input{{{name}}}" for name in costs),
            r"\end{document}",
            "",
        ]
    )


def _figure(record: FigureRecord) -> list[str]:
    number = re.search(r"\d+$", record.name)
    return [
        r"\begin{figure*}[p]",
        r"\centering",
        *([rf"\setcounter{{figure}}{{{int(number.group()) - 1}}}"] if number else []),
        rf"\includegraphics[width=\linewidth,height=0.7\textheight,keepaspectratio]{{{record.pdf}}}",
        rf"\caption{{\small {escape(record.title)}. {escape(record.caption)}}}",
        r"\end{figure*}",
    ]


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
