"""Learning curves: how low the loss came, and whether it was still falling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.errors import UserError
from benchmarks.plan.methods import get_method
from benchmarks.store.job_folder import JobFolder
from benchmarks.training.curves import read_curve
from reports.collect import TableResults
from reports.costs import number

WINDOW = 0.1  # share of the iterations over which a loss is averaged
EARLY, LATE = 0.8, 1.0  # ends of the two windows that are compared, as shares of the iterations
TOLERANCE = 0.05  # a change of the loss that counts as none

RULE = (
    "Loss: the sum of the terms that can fall to zero; terms that a method declares to have a floor, as the contrasts "
    "of PCTrans, are left out, for they would hide what the others do. Loss at p %: mean over the 10 % of the "
    "iterations that end there, of the losses of single batches, then over seeds. Change: the loss at 100 % against "
    "that at 80 %, ± its standard error as single batches scatter. A row had converged if the change is within ±5 % by "
    "two standard errors, had not if it is beyond ±5 % by as much; otherwise it is undecided. The verdict is about "
    "this schedule: a loss that is flat because the learning rate has fallen may fall again in a longer one. Losses of "
    "different rows have different terms: compare a row with itself."
)

Points = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Curves:
    """The curves that one job recorded while it was trained."""

    iterations: int  # length of the whole training
    loss: Points  # iterations from 1, losses of single batches without terms that have a floor; each (N,)
    validation: Points  # iterations, PQ; each (M,)

    def window(self, end: float) -> np.ndarray:
        """Select the losses in the window that ends at this share of the iterations."""
        iterations, losses = self.loss
        after, until = (end - WINDOW) * self.iterations, end * self.iterations
        return losses[(iterations > after) & (iterations <= until)]

    @property
    def smooth_loss(self) -> np.ndarray:
        """The loss averaged over the window that ends at each point, (N,)."""
        iterations, losses = self.loss
        sums = np.concatenate([[0.0], losses.cumsum()])
        last = np.arange(1, len(losses) + 1)
        first = np.searchsorted(iterations, iterations - WINDOW * self.iterations, side="right")
        return (sums[last] - sums[first]) / (last - first)


@dataclass(frozen=True)
class Change:
    """A relative change of the loss and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{100 * self.value:+.1f} % ± {100 * self.error:.1f} %"


@dataclass(frozen=True)
class RowLearning:
    """The curves of one row, one for each seed."""

    number: int
    label: str
    curves: tuple[Curves, ...]

    def loss_at(self, end: float) -> float | None:
        """Average the loss over the window that ends at this share of the iterations; None where a seed has none."""
        windows = [curves.window(end) for curves in self.curves]
        return float(np.mean([window.mean() for window in windows])) if all(map(len, windows)) else None

    @cached_property
    def change(self) -> Change | None:
        """The change of the loss from 80 % to the end; None with fewer than two points in a window."""
        early, late = ([curves.window(end) for curves in self.curves] for end in (EARLY, LATE))
        if min(map(len, (*early, *late))) < 2:
            return None
        (before, error_before), (after, error_after) = _mean_and_error(early), _mean_and_error(late)
        if before == 0:
            return None
        ratio = after / before
        return Change(ratio - 1, math.hypot(error_after, ratio * error_before) / abs(before))

    @property
    def verdict(self) -> str:
        """The verdict by `RULE`: "converged", "not converged" or "undecided"."""
        if self.change is None:
            return "undecided"
        size, margin = abs(self.change.value), 2 * self.change.error
        if size + margin <= TOLERANCE:
            return "converged"
        return "not converged" if size - margin > TOLERANCE else "undecided"

    @cached_property
    def validation_pq(self) -> dict[int, float]:
        """The PQ at each validated iteration, averaged over the seeds that were validated there."""
        found: dict[int, list[float]] = {}
        for curves in self.curves:
            for iteration, pq in zip(*curves.validation, strict=True):
                found.setdefault(int(iteration), []).append(float(pq))
        return {iteration: float(np.mean(values)) for iteration, values in sorted(found.items())}


def read_learning(results: TableResults, out: Path) -> list[RowLearning]:
    """Read the curves of the trained rows that have any.

    Raises:
        UserError: a file of curves is damaged.
    """
    rows = []
    for row in results.rows:
        if row.origin != "trained":
            continue
        floors = get_method(row.method).loss_floors if row.method else ()
        read = (_read(JobFolder.named(result.key, out), result.cost.iterations, floors) for result in row.results)
        if curves := tuple(item for item in read if len(item.loss[0])):
            rows.append(RowLearning(row.number, row.label, curves))
    return rows


def learning_table(results: TableResults, rows: Sequence[RowLearning]) -> tuple[list[str], list[list[str]]]:
    """Make headings and a line for each row: losses, change, verdict and validation PQ; a dash for a gap."""
    points = sorted({iteration for row in rows for iteration in row.validation_pq})
    losses = ["loss at 50 %", "at 90 %", "at 100 %", "change", "verdict"]
    headings = ["#", results.spec.row_heading, *losses, *(f"validation PQ at {point:,}" for point in points)]
    lines = [
        [
            str(row.number),
            row.label,
            *(number(row.loss_at(share), ".3f") for share in (0.5, 0.9, 1.0)),
            str(row.change) if row.change else "-",
            row.verdict,
            *(number(row.validation_pq.get(point), ".4f") for point in points),
        ]
        for row in rows
    ]
    return headings, lines


def _read(folder: JobFolder, iterations: int, floors: Sequence[str]) -> Curves:
    return Curves(iterations, _points(folder.losses, "loss", floors), _points(folder.validation, "pq"))


def _points(path: Path, column: str, without: Sequence[str] = ()) -> Points:
    """Read a column against the iteration, less those columns of `without` that the file has."""
    try:
        rows = read_curve(path)
        values = [row[column] - sum(row.get(name, 0.0) for name in without) for row in rows]
        return np.array([row["iteration"] for row in rows]), np.array(values)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path} is damaged: expected numbers in the columns iteration, {column} ({error!r})."
        ) from error


def _mean_and_error(windows: Sequence[np.ndarray]) -> tuple[float, float]:
    """Average the windows' means over seeds; the standard error comes from the scatter within windows."""
    errors = [window.std(ddof=1) / math.sqrt(len(window)) for window in windows]
    return float(np.mean([window.mean() for window in windows])), math.hypot(*errors) / len(windows)
