"""A table's own metrics under every protocol variant, on the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.machine.terminal import text_console
from benchmarks.plan.tables import Display, TableSpec
from reports.protocol.rescored import RescoredTable
from reports.protocol.sensitivity import Family, RowFigures, families
from reports.protocol.sentences import HOW, plain, signed, summary, tested

KEY = "Upper line: the figure. Lower line: the reference row less this one. Spread: highest less lowest, leaks aside."
LABEL_WIDTH = 24


def render_protocol(table: RescoredTable) -> Group:
    """Render a grid for each of the table's metrics and a sentence for every metric; print it without cropping."""
    found = families(table)
    parts: list[RenderableType] = [Text(f"{table.spec.title}: how much of it is protocol", "bold"), Text(HOW)]
    parts.append(Text(tested(table)))
    for family in found:
        if family.metric in table.spec.metrics:
            parts.append(_figures(table.spec, family))
    parts += [Text(KEY, "dim"), _variants(table)]
    parts += [Text(f"{variant.title}: does not apply: {reason}.", "dim") for variant, reason in table.choice.refused]
    parts += [Text(sentence, "yellow") for sentence in table.missing]
    parts += [Text(sentence, "bold red") for sentence in table.left_out]
    parts += [Text(summary(family, table.spec.shown(family.metric))) for family in found]
    return Group(*parts)


def _figures(spec: TableSpec, family: Family) -> Table:
    table = Table(title=Text(family.title, "bold"), title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    table.add_column("#", justify="right")
    table.add_column(spec.row_heading, overflow="fold", max_width=LABEL_WIDTH)
    for variant in family.variants:
        table.add_column(Text(variant.title.replace(" ", "\n", 1)), justify="right", no_wrap=True)
    table.add_column("spread", justify="right", no_wrap=True)
    display = spec.shown(family.metric)
    for row in family.rows:
        cells = [_cell(family, row, variant.name, display) for variant in family.variants]
        table.add_row(str(row.number), Text(row.label), *cells, plain(row.spread, display))
    # The table is as wide as it needs: on a narrow terminal its lines wrap, while rich would leave columns out.
    table.width = text_console(width=1000).measure(table).maximum
    return table


def _cell(family: Family, row: RowFigures, variant: str, display: Display) -> Text:
    text = Text(plain(row.values[variant], display))
    for difference in family.differences:
        if difference.other is row:
            text.append(f"\n{signed(difference.values[variant], display)}", "dim")
    return text


def _variants(table: RescoredTable) -> Table:
    shown = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for variant in table.choice.variants:
        shown.add_row(Text(variant.title), Text(variant.what, "dim"))
    return shown
