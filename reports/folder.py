"""Everything a results folder holds of the paper's tables, read once for all reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.store.run_file import RunFile, read_run, run_tables
from reports.collect import Outcome, TableResults, collect


@dataclass(frozen=True)
class RunTable:
    """A table that was run, and how."""

    run: RunFile
    results: TableResults


@dataclass(frozen=True)
class Folder:
    """The tables that were run into `out`, in the paper's order; what cannot be read is in `problems`."""

    out: Path
    tables: tuple[RunTable, ...]
    problems: tuple[str, ...]

    @property
    def results(self) -> dict[str, TableResults]:
        """By name of the table."""
        return {table.results.spec.name: table.results for table in self.tables}


def read_folder(out: Path) -> Folder:
    """Collect every table of OUT/runs. A job that several tables share is read once.

    Raises:
        UserError: nothing was run into `out`.
    """
    names = run_tables(out)
    if not names:
        raise UserError(
            f"{out} holds no run: expected {out / 'runs' / '<table>.json'}. "
            f"Run a table first, such as `pctrans-bench run table4 --out {out}`.{_studies(out)}"
        )
    tables, problems = [], []
    outcomes: dict[str, Outcome] = {}
    for name in names:
        try:
            if run := read_run(out, name):
                tables.append(RunTable(run, collect(out, name, outcomes)))
        except UserError as error:
            problems.append(str(error))
    return Folder(out, tuple(tables), tuple(problems))


def _studies(out: Path) -> str:
    """Where the pages of studies are, whose trials are of no table."""
    pages = sorted((out / "studies").glob("*/report.html"))
    return f" Studies have pages of their own: {', '.join(map(str, pages))}." if pages else ""
