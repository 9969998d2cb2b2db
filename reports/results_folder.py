"""The paper's tables in a results folder, read once for all reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.store.run_file import RunFile, read_run, run_tables
from reports.collect import Found, TableResults, collect
from reports.figures.records import record_paths


@dataclass(frozen=True)
class RunTable:
    """A table's run file and its results."""

    run: RunFile
    results: TableResults


@dataclass(frozen=True)
class ResultsFolder:
    """The tables that were run into `out`, in the paper's order; `problems` names those that cannot be read."""

    out: Path
    tables: tuple[RunTable, ...]
    problems: tuple[str, ...]

    @property
    def results(self) -> dict[str, TableResults]:
        """The results of each table, by its name."""
        return {table.results.spec.name: table.results for table in self.tables}


def read_results_folder(out: Path) -> ResultsFolder:
    """Collect every table in OUT/runs; none is there where only figures were run. A job of several is read once.

    Raises:
        UserError: nothing was run into `out`.
    """
    names = run_tables(out)
    if not names and not record_paths(out):
        raise UserError(
            f"{out} holds no run: expected {out / 'runs' / '<table>.json'}. "
            f"Run a table first, such as `pctrans-bench run table4 --out {out}`.{_studies(out)}"
        )
    tables, problems = [], []
    known: dict[str, Found] = {}
    for name in names:
        try:
            if run := read_run(out, name):
                tables.append(RunTable(run, collect(out, name, known)))
        except UserError as error:
            problems.append(str(error))
    return ResultsFolder(out, tuple(tables), tuple(problems))


def _studies(out: Path) -> str:
    """Point to the pages of studies, whose trials belong to no table."""
    pages = sorted((out / "studies").glob("*/report.html"))
    return f" Studies have pages of their own: {', '.join(map(str, pages))}." if pages else ""
