"""Plain sentences about the figures under every variant, which each report escapes in its own way."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.plan.tables import Display
from reports.protocol.rescored import RescoredTable
from reports.protocol.sensitivity import Difference, Family

MOST_SWAPS = 6

HOW = (
    "Stored predictions, scored once more; nothing was predicted again and no result changed. Each variant differs "
    "from this project's own protocol in one thing, only 'as released' in several."
)


def tested(table: RescoredTable) -> str:
    """Name the data and seeds behind every figure."""
    jobs = sum(len(row.jobs) for row in table.rows)
    seeds = sorted({job.seed for row in table.rows for job in row.jobs})
    return (
        f"{jobs} {'job' if jobs == 1 else 'jobs'}, tested on {table.tested}; means over the seeds of each row "
        f"({', '.join(map(str, seeds))})."
    )


def summary(family: Family, display: Display) -> str:
    """Say how protocol changes the ranking, and the difference between the reference and the best other row."""
    difference = family.rival
    if difference is None:
        lacking = "no difference, for want of a figure of the reference row or of any other"
        return f"{family.title}: {lacking}. {places(family)}"
    return f"{family.title}: {_compared(family, difference, display)} {places(family)}"


def range_of(family: Family, difference: Difference, display: Display) -> str:
    """Print the lowest and the highest value of a difference over fair variants, each with its variant."""
    lowest, highest = difference.lowest, difference.highest
    if lowest == highest:
        return f"{signed(difference.own, display)} throughout"
    return (
        f"{signed(difference.values[lowest], display)} ({heading(family, lowest)}) to "
        f"{signed(difference.values[highest], display)} ({heading(family, highest)})"
    )


def places(family: Family) -> str:
    """Name the rows that change places, and the variants under which they do."""
    swaps = family.swaps
    if not swaps:
        return "No two rows change places."
    named = [
        f"{swap.better.number} and {swap.worse.number} ({_listed(heading(family, name) for name in swap.variants)})"
        for swap in swaps[:MOST_SWAPS]
    ]
    more = f"; {len(swaps) - MOST_SWAPS} more pairs" if len(swaps) > MOST_SWAPS else ""
    return f"Rows that change places: {'; '.join(named)}{more}."


def percent(share: float | None) -> str:
    """Print a share of a difference; a dash where there is no difference."""
    return "-" if share is None else f"{100 * share:.0f}%"


def plain(value: float, display: Display) -> str:
    return f"{display.factor * value:.{display.digits}f}"


def signed(value: float, display: Display) -> str:
    """Print a value with its sign; one that prints as zero has none."""
    text = f"{display.factor * value:+.{display.digits}f}"
    return text[1:] if not float(text) else text


def heading(family: Family, name: str) -> str:
    """Look up the title of a variant by its name."""
    return next(variant.title for variant in family.variants if variant.name == name)


def _compared(family: Family, difference: Difference, display: Display) -> str:
    named = f"'{difference.reference.label}' − '{difference.other.label}'"
    own = signed(difference.own, display)
    moved, name = difference.moved
    leaks = _leaks(family, difference, display)
    if not moved:
        return f"{named} is {own}, and every variant gives both rows the same figures.{leaks}"
    share = f", {percent(difference.share)} of the difference" if difference.own else ""
    return (
        f"{named} is {own} by this project's protocol, {range_of(family, difference, display)} over variants; protocol "
        f"moves a figure of these two rows by up to {plain(moved, display)} ({heading(family, name)}){share}.{leaks}"
    )


def _leaks(family: Family, difference: Difference, display: Display) -> str:
    return "".join(
        f" {variant.title.capitalize()}: {signed(difference.values[variant.name], display)}."
        for variant in family.variants
        if variant.leak
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
