"""From measured values to what a cell says: mean, spread, difference from the paper, best and significant ones."""

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
"""Marks of a figure that is significantly better and worse than the reference."""


@dataclass(frozen=True)
class Figure:
    """A metric of one row over its seeds, in the metric's own unit."""

    mean: float
    std: float | None  # sample standard deviation (n - 1) over seeds; None for one seed
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure | None:
        """None where there is no value."""
        if not values:
            return None
        spread = statistics.stdev(values) if len(values) > 1 else None
        return cls(math.fsum(values) / len(values), spread, len(values))

    def printed(self, display: Display) -> str:
        """Mean and, where it is known, spread."""
        mean = _printed(self.mean, display)
        return mean if self.std is None else f"{mean} ± {_printed(self.std, display)}"


@dataclass(frozen=True)
class Column:
    """One metric down the table as it is printed; sequences have an entry for each row, None for no figure."""

    metric: str
    published: tuple[str | None, ...]
    measured: tuple[str | None, ...]
    best_published: frozenset[int]  # indices of rows
    best_measured: frozenset[int]
    difference: tuple[str | None, ...]  # measured less published, as both are printed
    signs: tuple[int, ...]  # 1 and -1: significantly better and worse than the table's reference

    @property
    def title(self) -> str:
        """Heading with the arrow of the metric's direction."""
        metric = METRICS[self.metric]
        return f"{metric.title} {ARROWS[metric.direction]}".rstrip()


def metric_columns(results: TableResults) -> list[Column]:
    """The table's metrics, in its order."""
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
    """Indices of the best of printed values; equal as printed means equally good.

    Empty where nothing stands out: fewer than two values, all of them equal, or a metric without a direction.
    """
    values = {index: float(text) for index, text in enumerate(printed) if text is not None}
    if direction == "none" or len(set(values.values())) < 2:
        return frozenset()
    top = max(values.values()) if direction == "max" else min(values.values())
    return frozenset(index for index, value in values.items() if value == top)


def _difference(measured: str | None, published: str | None) -> str | None:
    """Of printed figures, so that a reader who subtracts them finds the same."""
    return f"{Decimal(measured) - Decimal(published):+}" if measured and published else None


def _printed(value: float, display: Display) -> str:
    return f"{display.factor * value:.{display.digits}f}"
