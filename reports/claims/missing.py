"""The jobs that a claim still needs, and the command that runs them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from benchmarks.plan.nested import flatten, lookup
from benchmarks.plan.tables import TableSpec, load_table
from benchmarks.store.run_file import RunFile
from reports.collect import RowResults, TableResults
from reports.comparability import kind_of_data


def missing_jobs(rows: Sequence[RowResults], run: RunFile) -> list[str]:
    """Describe each job without a result on one line: row, label, seed, key and reason."""
    return [_line(row, gap.key, run.seed_of(gap.key), gap.reason) for row in rows for gap in row.gaps]


def _line(row: RowResults, key: str | None, seed: int | None, reason: str) -> str:
    parts = [f"row {row.number} ({row.label})"]
    parts += [f"seed {seed}"] if seed is not None and row.origin == "trained" else []
    parts += [f"job {key}"] if key else []
    return f"{', '.join(parts)}: {reason}"


def first_command(out: Path, spec: TableSpec, labels: Sequence[str], others: Sequence[RunFile]) -> str:
    """Compose the command that runs the rows of these labels of a table that was not run.

    Args:
        others: runs of other tables into `out`; if they agree on data, scale and seeds, the command takes these too.
            Data of tables that the paper has on another data set are not taken: the command has a place for its own.
    """
    words = ["pctrans-bench", "run", spec.name]
    fitting = [other for other in others if _fits(other, spec)]
    if others and not fitting:
        words += ["--data", f"{spec.published.data}:PATH"]
        if len({(other.scale, len(other.seeds)) for other in others}) == 1:
            words += _scale_words(others[0])
    elif len({(other.data.spec, other.scale, len(other.seeds)) for other in fitting}) == 1:
        words += _data_words(fitting[0])
    numbers = [number for number, row in enumerate(spec.rows, 1) if row.label in labels]
    return shlex.join([*words, "--rows", _rows(numbers), "--out", str(out)])


def command(out: Path, spec: TableSpec, run: RunFile, results: TableResults, labels: Sequence[str]) -> str:
    """Compose the command that runs the rows of these labels, with the data and settings of the table's run."""
    words = ["pctrans-bench", "run", spec.name, *_data_words(run)]
    words += ["--rows", _rows([row.number for row in results.rows if row.label in labels])]
    for path, value in flatten(run.overrides):
        words += ["--set", f"{path}={value}"]
    if results.results and (protocol := lookup(results.results[0].job, "protocol")):
        words += ["--protocol", str(protocol)]
    for row in results.rows:
        if row.origin == "external" and row.results:
            words += ["--external", f"{row.label}={lookup(row.results[0].job, 'model.folder')}"]
    return shlex.join([*words, "--out", str(out)])


def _fits(other: RunFile, spec: TableSpec) -> bool:
    """Whether the data of another table's run are for this table: of one data set in the paper, or this table's own."""
    own = spec.published.data
    return load_table(other.table).published.data == own or kind_of_data(other.data.spec) == own


def _data_words(run: RunFile) -> list[str]:
    return ["--data", run.data.spec, *_scale_words(run)]


def _scale_words(run: RunFile) -> list[str]:
    return ["--scale", run.scale, "--seeds", str(len(run.seeds))]


def _rows(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
