"""What each row loses to which kind of error, on the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.machine.terminal import text_console
from reports.anatomy.dissected import DissectedTable
from reports.anatomy.losses import differences, row_losses
from reports.anatomy.writing import HOW, Grid, fate_grid, missing, problems, share_grid, sizes, summary

LABEL_WIDTH = 24


def render_anatomy(table: DissectedTable) -> Group:
    """Render shares of PQ, fates by size and crowding, and a sentence for each row; print it without cropping."""
    losses = row_losses(table)
    heading = table.spec.row_heading
    parts: list[RenderableType] = [Text(f"{table.spec.title}: what kinds of error cost", "bold"), Text(HOW, "dim")]
    parts += [_table("PQ lost to each kind", share_grid(losses, heading))]
    parts += [_table("Truths by size and crowding", fate_grid(table)), Text(" ".join(sizes(table)), "dim")]
    parts += [Text(sentence, "yellow") for sentence in missing(table)]
    parts += [Text(sentence, "bold red") for sentence in problems(table)]
    parts += [Text(sentence) for sentence in summary(losses, differences(table))]
    return Group(*parts)


def _table(title: str, grid: Grid) -> Table:
    headings, lines = grid
    table = Table(title=Text(title, "bold"), title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for index, heading in enumerate(headings):
        if index == 1:
            table.add_column(heading, overflow="fold", max_width=LABEL_WIDTH)
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(*map(Text, line))
    # As wide as it needs: on a narrow terminal its lines wrap, while rich would leave columns out.
    table.width = text_console(width=1000).measure(table).maximum
    return table
