"""Which jobs a claim still needs, and the command that runs them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.errors import UserError
from benchmarks.plan.tables import TableSpec
from benchmarks.tracking.folder import flatten
from reports.collect import RowResults, TableResults, lookup


class _PlannedData(BaseModel):
    spec: str


class _PlannedRow(BaseModel):
    row: int
    keys: list[str]


class PlannedRun(BaseModel):
    """What `runs/<table>.json` says of how a table was run."""

    model_config = ConfigDict(frozen=True)

    data: _PlannedData
    scale: str
    seeds: list[int]
    overrides: dict[str, Any]
    rows: list[_PlannedRow]

    def seed_of(self, key: str | None) -> int | None:
        """The seed that the job of this key has; jobs of a row are in the order of seeds."""
        keys = next((row.keys for row in self.rows if key in row.keys), [])
        return self.seeds[keys.index(key)] if key in keys and keys.index(key) < len(self.seeds) else None


def read_planned(out: Path, table: str) -> PlannedRun | None:
    """How a table was run into `out`; None where it was not.

    Raises:
        UserError: the file does not describe a run.
    """
    path = out / "runs" / f"{table}.json"
    if not path.is_file():
        return None
    try:
        return PlannedRun.model_validate(json.loads(path.read_bytes()))
    except (ValueError, ValidationError) as error:
        raise UserError(f"{path} does not describe a run: {error}. Run {table} again.") from error


def missing_jobs(rows: Sequence[RowResults], planned: PlannedRun) -> list[str]:
    """A line for each job without a result: row, label, seed, key and why."""
    return [_line(row, gap.key, planned.seed_of(gap.key), gap.reason) for row in rows for gap in row.gaps]


def _line(row: RowResults, key: str | None, seed: int | None, reason: str) -> str:
    parts = [f"row {row.number} ({row.label})"]
    parts += [f"seed {seed}"] if seed is not None and row.origin == "trained" else []
    parts += [f"job {key}"] if key else []
    return f"{', '.join(parts)}: {reason}"


def first_command(out: Path, spec: TableSpec, labels: Sequence[str], others: Sequence[PlannedRun]) -> str:
    """The command that runs the rows of these labels of a table that was not run.

    Args:
        others: runs of other tables into `out`; if all are on the same data with the same scale and seeds, so is this.
    """
    words = ["pctrans-bench", "run", spec.name]
    shared = {(other.data.spec, other.scale, len(other.seeds)) for other in others}
    if len(shared) == 1:
        words += _data_words(others[0])
    numbers = [number for number, row in enumerate(spec.rows, 1) if row.label in labels]
    return shlex.join([*words, "--rows", _rows(numbers), "--out", str(out)])


def command(out: Path, spec: TableSpec, planned: PlannedRun, results: TableResults, labels: Sequence[str]) -> str:
    """The command that runs the rows of these labels, with the data and settings the table was run with."""
    words = ["pctrans-bench", "run", spec.name, *_data_words(planned)]
    words += ["--rows", _rows([row.number for row in results.rows if row.label in labels])]
    for path, value in flatten(planned.overrides):
        words += ["--set", f"{path}={value}"]
    if results.results and (protocol := lookup(results.results[0].job, "protocol")):
        words += ["--protocol", str(protocol)]
    for row in results.rows:
        if row.origin == "external" and row.results:
            words += ["--external", f"{row.label}={lookup(row.results[0].job, 'model.folder')}"]
    return shlex.join([*words, "--out", str(out)])


def _data_words(planned: PlannedRun) -> list[str]:
    return ["--data", planned.data.spec, "--scale", planned.scale, "--seeds", str(len(planned.seeds))]


def _rows(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
