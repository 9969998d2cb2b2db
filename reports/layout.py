"""How a table is laid out: with everything that is known of it, or as the paper has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from reports.collect import RowResults, TableResults

Kind = Literal["published", "measured", "difference"]

Published = Literal["none", "column", "block"]
"""Where a table as the paper has it shows the published figures: nowhere, a column beside each measured one, or a
second block of rows below."""


@dataclass(frozen=True)
class Layout:
    """What a table shows.

    Attributes:
        paper: the paper's own table: its columns and order, the best in bold, measured figures; neither differences
            nor marks of significance.
        published: where the published figures are; the full layout has them beside the measured ones.
    """

    paper: bool = False
    published: Published = "column"

    @property
    def shows_published(self) -> bool:
        return self.published != "none"

    @property
    def shows_signs(self) -> bool:
        return not self.paper

    @property
    def name(self) -> str:
        """What tells reports of one layout from those of another."""
        return f"paper, published: {self.published}" if self.paper else "full"


FULL = Layout()


@dataclass(frozen=True)
class Block:
    """Rows of a table that stand together.

    Attributes:
        title: what tells it from the table's other block; None where it is the only one.
        kinds: the columns of each metric.
        rows: the rows, each with its index in the table.
    """

    title: str | None
    kinds: tuple[Kind, ...]
    rows: tuple[tuple[int, RowResults], ...]


def blocks(results: TableResults, layout: Layout) -> list[Block]:
    """Divide a table into blocks; none has rows for which it would show only dashes because of where they are from."""
    every, run = tuple(enumerate(results.rows)), _where(results, lambda row: row.origin != "quoted")
    if not layout.paper:
        return [Block(None, ("published", "measured", "difference"), every)]
    if layout.published == "column":
        return [Block(None, ("published", "measured"), every)]
    if layout.published == "none":
        return [Block(None, ("measured",), run)]
    published = _where(results, lambda row: bool(row.published))
    return [Block("Measured", ("measured",), run), Block("Published", ("published",), published)]


def shown_rows(parts: Iterable[Block]) -> list[RowResults]:
    """List the rows that some block shows, each once and in the table's order."""
    shown = {index: row for block in parts for index, row in block.rows}
    return [shown[index] for index in sorted(shown)]


def _where(results: TableResults, holds: Callable[[RowResults], bool]) -> tuple[tuple[int, RowResults], ...]:
    return tuple((index, row) for index, row in enumerate(results.rows) if holds(row))
