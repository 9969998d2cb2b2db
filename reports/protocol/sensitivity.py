"""The sensitivity of figures, differences and rankings to the protocol.

Spreads, ranges and `moved` are taken over fair variants: under a leak, figures rise whatever the method. Swaps of two
rows are looked for under all variants.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from benchmarks.metrics import METRICS
from benchmarks.plan.tables import TableSpec
from benchmarks.protocol import FAMILIES, OWN, Variant
from reports.protocol.rescored import RescoredRow, RescoredTable

Values = Mapping[str, float]
"""A figure under each variant, by the variant's name."""


@dataclass(frozen=True)
class RowFigures:
    """The figures of one row by one metric.

    Attributes:
        number: number of the row, from 1.
        values: means over the seeds that the row has.
        fair: names of the variants without a leak, this project's own first.
    """

    number: int
    label: str
    seeds: int
    values: Values
    fair: tuple[str, ...]

    @property
    def own(self) -> float:
        return self.values[OWN.name]

    @property
    def spread(self) -> float:
        """The highest less the lowest value."""
        values = [self.values[name] for name in self.fair]
        return max(values) - min(values)


@dataclass(frozen=True)
class Difference:
    """The reference row less another, in the metric's own unit."""

    reference: RowFigures
    other: RowFigures

    @property
    def values(self) -> Values:
        return {name: value - self.other.values[name] for name, value in self.reference.values.items()}

    @property
    def own(self) -> float:
        return self.values[OWN.name]

    @property
    def lowest(self) -> str:
        """The variant under which the difference is smallest; this project's own where none is smaller."""
        return min(self.reference.fair, key=lambda name: self.values[name])

    @property
    def highest(self) -> str:
        """The variant under which the difference is largest; this project's own where none is larger."""
        return max(self.reference.fair, key=lambda name: self.values[name])

    @property
    def moved(self) -> tuple[float, str]:
        """The most that a variant moves the figure of either row from this project's own, and that variant's name."""
        rows = (self.reference, self.other)
        moves = ((abs(row.values[name] - row.own), name) for row in rows for name in row.fair)
        return max(moves, key=lambda move: move[0])

    @property
    def share(self) -> float | None:
        """`moved` divided by the difference under this project's protocol; None where there is no difference."""
        return self.moved[0] / abs(self.own) if self.own else None


@dataclass(frozen=True)
class Swap:
    """Two rows that change places: `better` by this project's protocol is worse under `variants`."""

    better: RowFigures
    worse: RowFigures
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """The figures of all rows by one metric, under every variant that affects it.

    Attributes:
        rows: those with a figure.
        reference: the row that all others are compared with; None where it has no figure.
    """

    metric: str
    variants: tuple[Variant, ...]
    rows: tuple[RowFigures, ...]
    reference: RowFigures | None

    @property
    def title(self) -> str:
        return METRICS[self.metric].title

    @property
    def differences(self) -> list[Difference]:
        """The differences of the reference from each other row."""
        if self.reference is None:
            return []
        return [Difference(self.reference, row) for row in self.rows if row is not self.reference]

    @property
    def rival(self) -> Difference | None:
        """The difference of the reference from the best other row by this project's protocol."""
        sign = _sign(self.metric)
        return max(self.differences, key=lambda difference: sign * difference.other.own, default=None)

    @property
    def swaps(self) -> list[Swap]:
        """Every pair of rows that changes places; rows with equal figures do not."""
        sign, swaps = _sign(self.metric), []
        for pair in combinations(self.rows, 2):
            better, worse = sorted(pair, key=lambda row: -sign * row.own)
            if better.own == worse.own:
                continue
            names = [name for name in better.values if sign * (better.values[name] - worse.values[name]) < 0]
            if names:
                swaps.append(Swap(better, worse, tuple(names)))
        return swaps


def families(table: RescoredTable) -> list[Family]:
    """Make a family for each of the table's own metrics in its order, then for the others."""
    own = [metric for metric in table.spec.metrics if metric in FAMILIES]
    return [_family(table, metric) for metric in (*own, *(name for name in FAMILIES if name not in own))]


def _family(table: RescoredTable, metric: str) -> Family:
    variants = tuple(variant for variant in table.choice.variants if metric in variant.metrics)
    rows = tuple(_figures(row, metric, variants) for row in table.rows if row.jobs)
    return Family(metric, variants, rows, _reference(table.spec, rows))


def _figures(row: RescoredRow, metric: str, variants: tuple[Variant, ...]) -> RowFigures:
    values = {
        variant.name: statistics.fmean(job.figure(variant.name, metric) for job in row.jobs) for variant in variants
    }
    fair = tuple(variant.name for variant in variants if not variant.leak)
    return RowFigures(row.row.number, row.row.label, len(row.jobs), values, fair)


def _reference(spec: TableSpec, rows: tuple[RowFigures, ...]) -> RowFigures | None:
    return next((row for row in rows if row.label == spec.reference), None)


def _sign(metric: str) -> int:
    """1 where more of the metric is better, -1 where less is."""
    return -1 if METRICS[metric].direction == "min" else 1
