"""Text and tables in GitHub Markdown, for every report that is written in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate


def escape(text: str) -> str:
    """Escape any text so that Markdown prints it: no markup, no cell border, no list, no HTML, on one line."""
    return re.sub(r"^(\d*)([-+=.)])(?=\s|$|[-=])", r"\1\\\2", _inline(text))  # at the beginning, a list or an underline


def escape_cells(lines: Iterable[Sequence[str]]) -> list[list[str]]:
    """Escape every cell of a table, where no list begins: a dash stays one."""
    return [[_inline(cell) for cell in line] for line in lines]


def _inline(text: str) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~$&!])", r"\\\1", line)


def format_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Lay out a table; headings and cells are Markdown already, see `escape`."""
    # Figures are strings that say what is to be printed: tabulate must not parse and print them again.
    return tabulate(lines, headings, tablefmt="github", disable_numparse=True)
