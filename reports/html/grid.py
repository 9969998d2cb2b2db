"""A table of plain text on the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """A table of plain text; the columns under the headings in `text` hold words, the others figures."""

    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    text: Sequence[str] = ()
