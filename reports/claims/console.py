"""Claims and their verdicts on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.claims.evaluation import ClaimsReport, ClaimVerdict
from reports.claims.verdicts import RULE, PartVerdict, Verdict
from reports.claims.writing import comparison_cells, count_verdicts, pairs, says, where

LONGEST_WORD = 12
"""Words of a label up to this length are not broken; longer ones would leave no room for figures."""

_COLOURS: dict[Verdict, str] = {"supported": "green", "contradicted": "red", "undecided": "yellow", "missing": "dim"}


def render_claims(report: ClaimsReport) -> Group:
    """Render each claim under its table, then all verdicts at a glance."""
    parts: list[RenderableType] = []
    for _, of_table in groupby(report.verdicts, lambda claim: claim.table):
        claims = list(of_table)
        parts += [Text(where(claims[0]), "bold underline"), Text(" ".join(claims[0].conditions), "dim")]
        parts += [Padding(Group(*_claim(claim)), (0, 0, 0, 2)) for claim in claims]
    parts += [Text("Oddities in the paper's own figures", "bold underline")]
    parts += [Text(f"- {text}") for text in report.oddities]
    return Group(*parts, Text(f"\n{RULE}", "dim"), _overview(report))


def _claim(claim: ClaimVerdict) -> Iterator[RenderableType]:
    yield Text.assemble((f"\n{claim.id}: ", "bold"), (claim.verdict, f"bold {_COLOURS[claim.verdict]}"))
    yield Text(claim.text)
    for part in claim.parts:
        if part.comparisons:
            yield Text(f"{says(part.part)}: {part.verdict}", "italic")
            yield _comparisons(part)
    yield from (Text(f"missing: {line}", "yellow") for line in claim.missing)
    if claim.command:
        yield Text(claim.command, no_wrap=False)
    yield from (Text(note, "dim") for note in claim.notes)


def _comparisons(part: PartVerdict) -> Table:
    """Tabulate what fits a terminal of 80 columns; the files have the rest."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    words = [word for one, _ in part.judged() for word in one.worse.split()]
    table.add_column("vs", overflow="fold", min_width=min(LONGEST_WORD, max(map(len, words))))
    for heading in ("metric", "diff.", "95 % interval", "p Holm", "pairs", ""):
        table.add_column(heading, no_wrap=True)
    for one, verdict in part.judged():
        _, metric, difference, interval, _, p_holm, *_ = comparison_cells(one)
        pairs = f"{one.images}×{one.seeds}"
        cells = (one.worse, metric, difference, interval, p_holm, pairs)
        table.add_row(*map(Text, cells), Text(verdict, _COLOURS[verdict]))
    return table


def _overview(report: ClaimsReport) -> Table:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in count_verdicts(report).items() if count)
    table = Table("claim", "table", "verdict", "pairs", "scale", box=SIMPLE_HEAD, title=counts, title_justify="left")
    table.caption = "Pairs: images × seeds."
    for claim in report.verdicts:
        verdict = Text(claim.verdict, _COLOURS[claim.verdict])
        table.add_row(claim.id, claim.table, verdict, pairs(claim), Text(claim.scale or "-"))
    return table
