"""What each row loses to which kind of error, on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from benchmarks.machine.terminal import text_console
from reports.anatomy.dissected import DissectedTable
from reports.anatomy.losses import differences, row_losses
from reports.anatomy.writing import HOW, Grid, fate_grid, share_grid, sizes, summary

LABEL_WIDTH = 24


def render_anatomy(table: DissectedTable) -> Group:
    """Render shares of PQ, fates by size and crowding, and a sentence for each row; print it without cropping."""
    losses = row_losses(table)
    heading = table.spec.row_heading
    parts: list[RenderableType] = [Text(f"{table.spec.title}: what kinds of error cost", "bold"), Text(HOW, "dim")]
    parts += [_Grid("PQ lost to each kind", share_grid(losses, heading), keys=2)]
    parts += [_Grid("Truths by size and crowding", fate_grid(table), keys=3), Text(" ".join(sizes(table)), "dim")]
    parts += [Text(sentence, "yellow") for sentence in table.missing]
    parts += [Text(sentence, "bold red") for sentence in table.left_out]
    parts += [Text(sentence) for sentence in summary(losses, differences(table))]
    return Group(*parts)


@dataclass(frozen=True)
class _Grid:
    """A grid that on a terminal too narrow for it becomes several below each other, each with the first columns.

    In a file or a pipe a line stays a line.
    """

    title: str
    grid: Grid
    keys: int
    """How many columns say what a line is of."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        headings, _ = self.grid
        room = options.max_width if console.is_terminal else math.inf
        keys = list(range(self.keys))
        parts = [[*keys, self.keys]]
        for column in range(self.keys + 1, len(headings)):
            if (self._table([*parts[-1], column]).width or 0) <= room:
                parts[-1].append(column)
            else:
                parts.append([*keys, column])
        for part in parts:
            yield self._table(part)

    def _table(self, columns: Sequence[int]) -> Table:
        headings, lines = self.grid
        table = Table(title=Text(self.title, "bold"), title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
        for column in columns:
            if column == 1:
                table.add_column(headings[column], overflow="fold", max_width=LABEL_WIDTH)
            else:
                table.add_column(headings[column], justify="right", no_wrap=True)
        for line in lines:
            table.add_row(*(Text(line[column]) for column in columns))
        # As wide as it needs: rich would leave columns out.
        table.width = text_console(width=1000).measure(table).maximum
        return table
