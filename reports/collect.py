"""Reads what a run left on disk: `runs/<table>.json`, and each job's `result.json` or `error.json`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from benchmarks.errors import UserError
from benchmarks.plan.job import EXTERNAL
from benchmarks.plan.methods import get_method
from benchmarks.plan.tables import RowSpec, TableSpec, load_table
from reports.published import published_figures

SCHEMA = 1

Origin = Literal["trained", "untrained", "external", "quoted"]
"""Where a row's figures come from: training here, a method that needs none, label maps made elsewhere, the paper."""

# A key becomes a folder's name, so it must not lead out of the results.
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True)


class DatasetFacts(_Read):
    spec: str
    decoding: str | None = None
    split: str
    images: int
    instances: int


class Cost(_Read):
    parameters: int | None = None
    flops_per_crop: int | None = None  # forward and backward of one training crop
    iterations: int
    train_seconds: float
    seconds_per_iteration: float | None = None
    seconds_per_image: float | None = None
    peak_memory_bytes: int | None = None


class ThresholdTrial(_Read):
    values: dict[str, float | None]
    pq: float


class ChosenThresholds(_Read):
    """How the thresholds of a model were chosen after its training."""

    split: str
    images: int
    trials: list[ThresholdTrial]
    configured: ThresholdTrial
    chosen: ThresholdTrial


class JobResult(_Read):
    """The part of one job's `result.json` that reports use."""

    version: int = Field(alias="schema")
    key: Key
    job: dict[str, Any]
    dataset: DatasetFacts
    thresholds: ChosenThresholds | None = None  # absent from results of before there was a choice
    metrics: dict[str, float | None]
    images: list[dict[str, Any]]
    cost: Cost
    environment: dict[str, Any]

    @property
    def seed(self) -> int:
        return int(self.job["seed"])

    @property
    def method(self) -> str:
        return str(self.job["method"])

    @cached_property
    def scores(self) -> dict[str, dict[str, float]]:
        """Metric -> image -> score; no entry for an image that has none, or none that is a finite number."""
        found: dict[str, dict[str, float]] = {}
        for image in self.images:
            id = str(image.get("id"))
            for name, value in image.items():
                if isinstance(value, int | float) and math.isfinite(value):
                    found.setdefault(name, {})[id] = float(value)
        return found


class RunRow(_Read):
    row: int
    keys: list[Key]
    label: str | None = None
    method: str | None = None


class Run(_Read):
    """`runs/<table>.json`: which jobs stand for which row."""

    table: str
    rows: list[RunRow]
    overrides: dict[str, Any] = {}


@dataclass(frozen=True)
class Gap:
    """A figure that is not there; `key` is the job that should have made it, None where none was planned."""

    key: str | None
    reason: str


@dataclass(frozen=True)
class RowResults:
    """One row of a table: what was asked, what was published, what was measured and what is missing."""

    number: int  # from 1, as in the paper
    spec: RowSpec
    origin: Origin
    method: str | None  # None for a row that quotes the paper
    published: dict[str, str]  # metric -> figure as printed in the paper; no entry for a dash
    results: tuple[JobResult, ...]  # by seed
    gaps: tuple[Gap, ...]

    @property
    def label(self) -> str:
        return self.spec.label

    def measured(self, metric: str) -> list[float]:
        """The metric's value for each seed that has one."""
        values = (result.metrics.get(metric) for result in self.results)
        return [value for value in values if value is not None]


@dataclass(frozen=True, eq=False)
class TableResults:
    """A table with everything that is known of its rows; equal only to itself, so that what follows can be kept."""

    spec: TableSpec
    rows: tuple[RowResults, ...]
    overrides: dict[str, Any]  # what the user changed of the scale, nested

    @property
    def results(self) -> list[JobResult]:
        return [result for row in self.rows for result in row.results]

    @property
    def trained(self) -> list[JobResult]:
        """Results that training here led to."""
        return [result for row in self.rows if row.origin == "trained" for result in row.results]

    @property
    def seeds(self) -> list[int]:
        """Seeds with results; rows without training, which have only one, do not count beside trained ones."""
        return sorted({result.seed for result in self.trained or self.results})

    @property
    def gaps(self) -> list[tuple[RowResults, Gap]]:
        return [(row, gap) for row in self.rows for gap in row.gaps]


Outcome = JobResult | Gap
"""What became of a job."""


def collect(out: Path, table: str, outcomes: dict[str, Outcome] | None = None) -> TableResults:
    """Everything `out` holds of a table. Missing and failed jobs become gaps with a reason.

    Args:
        outcomes: by key, of jobs that were read before; those that are read now are added.

    Raises:
        UserError: unknown table, no run of it in `out`, or a result that was made with another method or other
            switches than those of its row.
    """
    spec = load_table(table)
    path = out / "runs" / f"{table}.json"
    if not path.is_file():
        raise UserError(f"No run of {table}: expected {path}, which `pctrans-bench run {table}` writes.")
    try:
        run = _read(path, Run)
    except ValueError as error:
        raise UserError(f"{path} does not describe a run: {error}. Run {table} again.") from error
    keys = {row.row: row.keys for row in run.rows}
    row_specs = [*spec.rows, *_external_rows(path, spec, run)]
    published = [*published_figures(spec), *({} for _ in row_specs[len(spec.rows) :])]
    known = {} if outcomes is None else outcomes
    rows = (
        _collect_row(out, spec, number, row, published[number - 1], keys.get(number), known)
        for number, row in enumerate(row_specs, 1)
    )
    return TableResults(spec, tuple(rows), run.overrides)


def _external_rows(path: Path, spec: TableSpec, run: Run) -> list[RowSpec]:
    """Rows beyond the table's own: folders of label maps, by the names that the user gave them."""
    beyond = sorted((row for row in run.rows if not 1 <= row.row <= len(spec.rows)), key=lambda row: row.row)
    for number, row in enumerate(beyond, len(spec.rows) + 1):
        if row.row != number or row.method != EXTERNAL or row.label is None:
            raise UserError(f"{path} has a row {row.row}, but {spec.name} has rows 1 to {len(spec.rows)}.")
    return [RowSpec(label=row.label or "", method=EXTERNAL) for row in beyond]


def _collect_row(
    out: Path,
    spec: TableSpec,
    number: int,
    row: RowSpec,
    published: dict[str, str],
    keys: list[str] | None,
    known: dict[str, Outcome],
) -> RowResults:
    method = spec.method_of(row)
    for key in keys or []:
        if key not in known:
            known[key] = _outcome(out / "jobs" / key)
    found = [known[key] for key in keys or []]
    results = sorted((item for item in found if isinstance(item, JobResult)), key=lambda result: result.seed)
    for result in results:
        _check_method(spec, row, result)
        _check_switches(spec, row, result)
    gaps = [item for item in found if isinstance(item, Gap)]
    if not keys and method is not None:
        gaps.append(Gap(None, "not part of this run"))
    return RowResults(number, row, _origin(method), method, published, tuple(results), tuple(gaps))


def _origin(method: str | None) -> Origin:
    if method is None:
        return "quoted"
    if method == EXTERNAL:
        return "external"
    return "trained" if get_method(method).trained else "untrained"


def _outcome(folder: Path) -> Outcome:
    """What became of one job: a result, or why there is none."""
    key = folder.name
    if (folder / "result.json").is_file():
        try:
            result = _read(folder / "result.json", JobResult)
        except ValueError as error:
            return Gap(key, f"result.json cannot be read: {error}")
        if result.version != SCHEMA:
            return Gap(key, f"result.json has schema {result.version}; this version reads {SCHEMA}")
        if result.key != key:
            return Gap(key, f"result.json belongs to job {result.key}")
        return result
    if (folder / "error.json").is_file():
        try:
            failure = json.loads((folder / "error.json").read_bytes())
            return Gap(key, f"failed: {failure['type']}: {failure['message']}")
        except (ValueError, KeyError, TypeError):
            return Gap(key, "failed, and its error.json cannot be read")
    return Gap(key, "not finished" if folder.is_dir() else "not run")


_Model = TypeVar("_Model", bound=BaseModel)


def _read(path: Path, model: type[_Model]) -> _Model:
    """Validate a JSON file; ValueError with one line that says where it is wrong."""
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from error


def _check_method(spec: TableSpec, row: RowSpec, result: JobResult) -> None:
    """A row must not show the figures of another method."""
    method = spec.method_of(row)
    if result.method != method:
        wanted = f"is of {method}" if method else "only quotes the paper"
        raise UserError(
            f"Job {result.key} was run with {result.method}, but row '{row.label}' of {spec.name} {wanted}. "
            f"Run {spec.name} again."
        )


def _check_switches(spec: TableSpec, row: RowSpec, result: JobResult) -> None:
    """A check mark in the table must be true of the job: an override on the command line could undo it."""
    marks = spec.marks(row)
    for column in spec.columns if marks else ():
        value = lookup(result.job, f"model.{column.path}")
        actual = value if column.absent is None else value != column.absent
        if actual != marks[column.field]:
            raise UserError(
                f"Job {result.key} was run with {column.path} = {value}, which is not row '{row.label}' of "
                f"{spec.name}. Leave {column.path} out of --set: the table varies it."
            )


def lookup(tree: Any, path: str) -> Any:
    """The value at a dotted path in nested dictionaries; None where there is none."""
    for part in path.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree
