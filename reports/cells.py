"""The cells of a table: means, spreads, differences from the paper, and which figures are best or significant."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from benchmarks.metrics import METRICS
from benchmarks.plan.tables import Display
from reports.collect import RowResults, TableResults
from reports.comparisons import AgainstReference, against_reference

ARROWS = {"max": "↑", "min": "↓", "none": ""}
SIGNS = {1: "▲", 0: "", -1: "▼"}
"""Marks of figures that are significantly better (1) or worse (-1) than the reference."""


@dataclass(frozen=True)
class Figure:
    """A metric of one row over its seeds, in the metric's own unit."""

    mean: float
    std: float | None  # sample standard deviation (n - 1) over seeds; None for one seed
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure | None:
        """Summarise the values of all seeds; None where there are none."""
        if not values:
            return None
        spread = statistics.stdev(values) if len(values) > 1 else None
        return cls(math.fsum(values) / len(values), spread, len(values))

    def printed(self, display: Display) -> str:
        """Print the mean and, where it is known, the spread."""
        mean = _printed(self.mean, display)
        return mean if self.std is None else f"{mean} ± {_printed(self.std, display)}"


@dataclass(frozen=True)
class Column:
    """One metric's column as printed; sequences have an entry for each row, None where there is no figure."""

    metric: str
    published: tuple[str | None, ...]
    measured: tuple[str | None, ...]
    best_published: frozenset[int]  # indices of rows
    best_measured: frozenset[int]
    difference: tuple[str | None, ...]  # measured less published, as both are printed
    signs: tuple[int, ...]  # 1 or -1: significantly better or worse than the table's reference

    @property
    def title(self) -> str:
        """The heading, with an arrow for the metric's direction."""
        metric = METRICS[self.metric]
        return f"{metric.title} {ARROWS[metric.direction]}".rstrip()


def metric_columns(results: TableResults) -> list[Column]:
    """Make a column for each of the table's metrics, in its order."""
    against = against_reference(results)
    return [_column(metric, results.spec.shown(metric), results.rows, against) for metric in results.spec.metrics]


def _column(metric: str, display: Display, rows: Sequence[RowResults], against: AgainstReference) -> Column:
    direction = METRICS[metric].direction
    published = tuple(row.published.get(metric) for row in rows)
    figures = [Figure.of(row.measured(metric)) for row in rows]
    means = [_printed(figure.mean, display) if figure else None for figure in figures]
    return Column(
        metric,
        published,
        tuple(figure.printed(display) if figure else None for figure in figures),
        best(published, direction),
        best(means, direction),
        tuple(_difference(mean, quoted) for mean, quoted in zip(means, published, strict=True)),
        tuple(against.sign(row, metric) for row in rows),
    )


def best(printed: Sequence[str | None], direction: str) -> frozenset[int]:
    """Find the indices of the best of printed values; values that print the same are equally good.

    None is best where there are fewer than two values, all are equal, or the metric has no direction.
    """
    values = {index: float(text) for index, text in enumerate(printed) if text is not None}
    if direction == "none" or len(set(values.values())) < 2:
        return frozenset()
    top = max(values.values()) if direction == "max" else min(values.values())
    return frozenset(index for index, value in values.items() if value == top)


def _difference(measured: str | None, published: str | None) -> str | None:
    """Subtract the figures as printed, so that a reader who does so finds the same."""
    return f"{Decimal(measured) - Decimal(published):+}" if measured and published else None


def _printed(value: float, display: Display) -> str:
    return f"{display.factor * value:.{display.digits}f}"
