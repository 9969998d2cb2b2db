"""What was found in the finished jobs of a table by a look that came after their test: errors, scores, robustness."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmarks.errors import UserError
from benchmarks.plan.tables import TableSpec
from benchmarks.store.documents import UnreadableError
from benchmarks.store.result import Result
from reports.collect import Gap, RowResults

Found = TypeVar("Found", covariant=True)
"""What a look finds in one job."""


@dataclass(frozen=True)
class ExaminedRow(Generic[Found]):
    """A row of a table and what was found in its finished jobs.

    Attributes:
        jobs: by seed.
        problems: finished jobs that could not be looked into, with the reason.
    """

    row: RowResults
    jobs: tuple[Found, ...]
    problems: tuple[Gap, ...]


Row = TypeVar("Row", bound=ExaminedRow[Any], covariant=True)


@dataclass(frozen=True)
class ExaminedTable(Generic[Row]):
    """The rows of a table that can be looked into."""

    spec: TableSpec
    rows: tuple[Row, ...]

    @property
    def examined(self) -> list[Row]:
        """The rows in whose jobs something was found."""
        return [row for row in self.rows if row.jobs]

    @property
    def problems(self) -> list[tuple[RowResults, Gap]]:
        return [(row.row, problem) for row in self.rows for problem in row.problems]

    @property
    def left_out(self) -> list[str]:
        """One sentence for each finished job that could not be looked into."""
        return [
            f"Row {row.number} ({row.label}): job {problem.key} is left out: {problem.reason.rstrip('.')}."
            for row, problem in self.problems
        ]

    @property
    def missing(self) -> list[str]:
        """One sentence for each row and reason of jobs without a result."""
        return [f"Row {row.row.number} ({row.row.label}): {reason}" for row in self.rows for reason in row.row.missing]

    def refuse_empty(self, out: Path, lacking: str, otherwise: str) -> None:
        """Require that something was found in a job.

        Args:
            out: the results folder, for the message.
            lacking: the end of "No finished job of TABLE in OUT …".
            otherwise: the reason where no job has a problem.

        Raises:
            UserError: nothing was; the message has the reasons, each once.
        """
        if not self.examined:
            reasons = "; ".join(dict.fromkeys(f"job {gap.key}: {gap.reason}" for _, gap in self.problems)) or otherwise
            raise UserError(f"No finished job of {self.spec.name} in {out} {lacking}: {reasons.rstrip('.')}.")


def examine(results: Iterable[Result], look: Callable[[Result], Found]) -> tuple[tuple[Found, ...], tuple[Gap, ...]]:
    """Look into finished jobs.

    Returns:
        What was found, and the jobs whose files are gone, damaged or no longer fit, with the reason.
    """
    found: list[Found] = []
    problems: list[Gap] = []
    for result in results:
        try:
            found.append(look(result))
        except (UserError, UnreadableError, ValueError) as error:
            problems.append(Gap(result.key, str(error)))
    return tuple(found), tuple(problems)
