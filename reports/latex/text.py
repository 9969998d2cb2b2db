"""Text as LaTeX prints it."""

from __future__ import annotations

import re
from collections.abc import Iterable

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

_TAU_WITH_INDEX = r"\$\\tau\$\\_\\allowbreak\{\}([a-z])\b"  # as the temperatures are written


def escape(text: str) -> str:
    """Escape any text so that LaTeX prints it and never obeys it.

    Control characters become spaces; characters that the fonts may lack become their code points.
    """
    escaped = "".join(_SPECIAL.get(letter) or _plain(letter) for letter in text)
    escaped = re.sub(_TAU_WITH_INDEX, r"$\\tau_{\1}$", escaped)
    return re.sub(",(?=,)", ",{}", escaped)  # two are one low quotation mark


def table_line(cells: Iterable[str]) -> str:
    """Write one line of a tabular."""
    return " & ".join(cells) + r" \\"


def _plain(letter: str) -> str:
    if not letter.isprintable():
        return " "
    latin = letter.isascii() or (letter.isalpha() and ord(letter) < 0x100)
    return letter if latin else f"{{[}}U+{ord(letter):04X}{{]}}"
