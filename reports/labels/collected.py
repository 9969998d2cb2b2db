"""The same table with several shares of the training images, each in a results folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from benchmarks.data.opening import training_share_of
from benchmarks.errors import UserError
from benchmarks.metrics import METRICS
from benchmarks.plan.tables import TableSpec
from benchmarks.store.run_file import read_run
from reports.cells import Figure
from reports.collect import Gap, RowResults, TableResults, collect


@dataclass(frozen=True)
class Part:
    """A table with one share of the training images."""

    share: Fraction
    draw: int
    results: TableResults


@dataclass(frozen=True)
class LabelTable:
    """A table with several shares, by share and draw.

    Attributes:
        parts: in ascending order; the same rows in each.
    """

    spec: TableSpec
    parts: tuple[Part, ...]

    @property
    def shares(self) -> list[Fraction]:
        return sorted({part.share for part in self.parts})

    @property
    def labels(self) -> dict[int, str]:
        """The rows that have a result, by number."""
        return {row.number: row.label for part in self.parts for row in part.results.rows if row.results}

    def figure(self, number: int, share: Fraction, metric: str) -> Figure | None:
        """Mean and spread of a row over draws and seeds; None where there is no result.

        A row without training has the same figure for every share, and no spread.
        """
        rows = self._rows(number, share)
        values = [value for row in rows for value in row.measured(metric)]
        return Figure.of(values[:1] if rows and rows[0].origin != "trained" else values)

    def _rows(self, number: int, share: Fraction) -> list[RowResults]:
        found = (part.results.rows for part in self.parts if part.share == share)
        return [row for rows in found for row in rows if row.number == number]

    @property
    def gaps(self) -> list[tuple[Part, RowResults, Gap]]:
        return [(part, row, gap) for part in self.parts for row, gap in part.results.gaps if gap.key]


def collect_labels(folders: Sequence[Path], table: str) -> LabelTable:
    """Collect a table from the results folders of its shares.

    Raises:
        UserError: a folder has no such table, or they were not run on parts of the same data with the same settings.
    """
    parts = []
    told: dict[tuple[object, ...], Path] = {}
    for folder in folders:
        run = read_run(folder, table)
        results = collect(folder, table)
        assert run is not None, "it was collected"
        part = training_share_of(run.data.spec)
        parts.append(Part(part.share, part.draw, results))
        tested = {tuple(str(image.get("id")) for image in result.images) for result in results.results}
        told.update(dict.fromkeys(((run.scale, ids) for ids in tested), folder))
    if len(told) > 1:
        first, second, *_ = told.values()
        raise UserError(
            f"{first} and {second} hold {table} at different scales or with different test images: shares of training "
            "images are compared on the same."
        )
    ordered = sorted(parts, key=lambda part: (part.share, part.draw))
    return LabelTable(ordered[0].results.spec, tuple(ordered))


def shown_metric(table: LabelTable) -> str:
    """PQ where the table has it, else its first metric."""
    metrics = table.spec.metrics
    return "pq" if "pq" in metrics or METRICS[metrics[0]].direction == "none" else metrics[0]
