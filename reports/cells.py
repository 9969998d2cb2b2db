"""From measured values to what a cell says: mean, spread, best of a column."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics import METRICS
from reports.collect import RowResults, TableResults

DIGITS = 4  # the paper's
ARROWS = {"max": "↑", "min": "↓", "none": ""}


@dataclass(frozen=True)
class Figure:
    """A metric of one row over its seeds."""

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

    def __str__(self) -> str:
        mean = f"{self.mean:.{DIGITS}f}"
        return mean if self.std is None else f"{mean} ± {self.std:.{DIGITS}f}"


@dataclass(frozen=True)
class Column:
    """One metric down the table; the sequences have an entry for each row, None where there is no figure."""

    metric: str
    published: tuple[str | None, ...]
    measured: tuple[Figure | None, ...]
    best_published: frozenset[int]  # indices of rows
    best_measured: frozenset[int]

    @property
    def title(self) -> str:
        """Heading with the arrow of the metric's direction."""
        metric = METRICS[self.metric]
        return f"{metric.title} {ARROWS[metric.direction]}".rstrip()


def metric_columns(results: TableResults) -> list[Column]:
    """The table's metrics, in its order."""
    return [_column(metric, results.rows) for metric in results.spec.metrics]


def _column(metric: str, rows: Sequence[RowResults]) -> Column:
    direction = METRICS[metric].direction
    published = tuple(row.published.get(metric) for row in rows)
    measured = tuple(Figure.of(row.measured(metric)) for row in rows)
    return Column(
        metric,
        published,
        measured,
        best([None if text is None else float(text) for text in published], direction),
        best([None if figure is None else figure.mean for figure in measured], direction),
    )


def best(values: Sequence[float | None], direction: str) -> frozenset[int]:
    """Indices of the best values; equal as printed means equally good.

    Empty where nothing stands out: fewer than two values, all of them equal, or a metric without a direction.
    """
    printed = {index: round(value, DIGITS) for index, value in enumerate(values) if value is not None}
    if direction == "none" or len(set(printed.values())) < 2:
        return frozenset()
    top = max(printed.values()) if direction == "max" else min(printed.values())
    return frozenset(index for index, value in printed.items() if value == top)
