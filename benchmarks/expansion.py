"""From a table and the user's wishes to a list of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.files import write_json
from benchmarks.jobs import DataReference, Job, make_job, nest
from benchmarks.scales import merge
from benchmarks.tables import TableSpec


@dataclass(frozen=True)
class PlannedJob:
    """A job and its place in the table.

    Attributes:
        row: from 1.
        chosen: whether the user asked for this row.
    """

    row: int
    label: str
    job: Job
    chosen: bool = True


@dataclass(frozen=True)
class Plan:
    """The jobs of one run of a table, row by row, seed by seed."""

    table: TableSpec
    jobs: list[PlannedJob]
    scale: str
    seeds: tuple[int, ...]
    data: DataReference
    overrides: dict[str, Any]

    @property
    def chosen(self) -> list[PlannedJob]:
        return [planned for planned in self.jobs if planned.chosen]

    def described(self) -> dict[str, Any]:
        """What runs/<table>.json holds."""
        rows: dict[int, list[str]] = {}
        for planned in self.jobs:
            rows.setdefault(planned.row, []).append(planned.job.key)
        return {
            "table": self.table.name,
            "data": self.data.model_dump(mode="json"),
            "scale": self.scale,
            "seeds": list(self.seeds),
            "overrides": self.overrides,
            "jobs": [planned.job.key for planned in self.jobs],
            "rows": [{"row": row, "keys": keys} for row, keys in rows.items()],
        }

    def save(self, out: Path) -> None:
        """Tell reports which jobs stand for which row."""
        write_json(out / "runs" / f"{self.table.name}.json", self.described())


def reference(dataset: Dataset) -> DataReference:
    """What a job keeps of its dataset."""
    return DataReference(
        spec=dataset.spec, name=dataset.name, fingerprint=dataset.fingerprint, decoding=dataset.decoding
    )


def expand_table(
    table: TableSpec,
    dataset: Dataset,
    *,
    scale: str,
    seeds: int,
    rows: Sequence[int] | None = None,
    overrides: Mapping[str, Any] | None = None,
    protocol: str | None = None,
    device: str = "cpu",
) -> Plan:
    """Every row with the same seeds, so that rows can be compared in pairs.

    Args:
        seeds: how many; they are 0, 1, ...
        rows: numbers of the rows to run, from 1; None for all.
        overrides: nested, as `make_job` takes them; the table's own switches are not among them.
        protocol: crop, augmentation and thresholds; None for the dataset's own.
        device: where the jobs will run.

    Raises:
        UserError: a row that does not exist, or overrides that are not valid or would undo a switch.
    """
    unknown = sorted(set(rows or ()) - set(range(1, len(table.rows) + 1)))
    if unknown:
        raise UserError(f"{table.name} has no row {unknown[0]}: rows are 1 to {len(table.rows)}.")
    overrides = dict(overrides or {})
    if not isinstance(overrides.get("model", {}), Mapping):
        raise UserError(f"the section model has to hold fields, such as model.…=…, but is {overrides['model']!r}.")
    _refuse_overridden_switches(table, overrides)
    data = reference(dataset)
    jobs = []
    for number, row in enumerate(table.rows, 1):
        switches = {"model": nest(table.overrides(row))}
        for seed in range(seeds):
            job = make_job(
                table.method,
                data,
                split=dataset.evaluation_split,
                scale=scale,
                protocol=protocol or dataset.protocol,
                seed=seed,
                overrides=merge(overrides, switches),
                device=device,
            )
            jobs.append(PlannedJob(number, row.label, job, rows is None or number in rows))
    return Plan(table, jobs, scale, tuple(range(seeds)), data, overrides)


def _refuse_overridden_switches(table: TableSpec, overrides: Mapping[str, Any]) -> None:
    """A wish that the table would silently undo is an error."""
    for path in {column.path for column in table.columns} | set(table.fixed):
        value: Any = overrides.get("model", {})
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            raise UserError(f"model.{path} is what {table.name} sets itself; it cannot be overridden in this table.")
