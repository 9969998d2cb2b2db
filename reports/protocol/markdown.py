"""The Markdown report of a table's figures under every protocol variant."""

from __future__ import annotations

from benchmarks.plan.tables import Display, TableSpec
from reports.markdown_text import escape, escape_cells, format_table
from reports.protocol.rescored import RescoredTable
from reports.protocol.sensitivity import Difference, Family, families
from reports.protocol.sentences import (
    HOW,
    heading,
    percent,
    plain,
    range_of,
    signed,
    summary,
    tested,
)


def protocol_markdown(table: RescoredTable) -> str:
    """Write out the variants, then for each metric its summary, figures and differences to the reference row."""
    found = families(table)
    parts = [
        f"# {escape(table.spec.title)}: how much of it is protocol",
        escape(f"{HOW} {tested(table)}"),
        *(f"- {escape(sentence)}" for sentence in (*table.left_out, *table.missing)),
        "## Variants",
        _variants(table),
        *(f"{escape(variant.title)} does not apply: {escape(reason)}." for variant, reason in table.choice.refused),
    ]
    for family in found:
        parts += _family(table.spec, family)
    return "\n\n".join(parts) + "\n"


def _variants(table: RescoredTable) -> str:
    lines = [[variant.title, variant.what, variant.source] for variant in table.choice.variants]
    return format_table(["variant", "what", "source"], escape_cells(lines))


def _family(spec: TableSpec, family: Family) -> list[str]:
    display = spec.shown(family.metric)
    parts = [f"## {escape(family.title)}", escape(summary(family, display)), _figures(spec, family, display)]
    if family.differences:
        label = escape(spec.reference)
        parts.append(
            f"{label} less each other row. *Moved by*: the most that a variant moves the figure of either row; "
            "*share*: that over the difference by this project's own protocol. Spread, range and *moved by* are "
            "without leaks."
        )
        parts.append(_differences(spec, family, display))
    return parts


def _figures(spec: TableSpec, family: Family, display: Display) -> str:
    lines = [
        [
            str(row.number),
            escape(row.label),
            str(row.seeds),
            *(plain(row.values[variant.name], display) for variant in family.variants),
            plain(row.spread, display),
        ]
        for row in family.rows
    ]
    return format_table(["#", spec.row_heading, "seeds", *_titles(family), "spread"], lines)


def _differences(spec: TableSpec, family: Family, display: Display) -> str:
    lines = [_difference(family, difference, display) for difference in family.differences]
    return format_table(["#", spec.row_heading, *_titles(family), "range", "moved by", "share"], lines)


def _difference(family: Family, difference: Difference, display: Display) -> list[str]:
    moved, name = difference.moved
    return [
        str(difference.other.number),
        escape(difference.other.label),
        *(signed(difference.values[variant.name], display) for variant in family.variants),
        escape(range_of(family, difference, display)),
        escape(f"{plain(moved, display)} ({heading(family, name)})") if moved else "0",
        percent(difference.share),
    ]


def _titles(family: Family) -> list[str]:
    return [escape(variant.title) for variant in family.variants]
