"""From a table and the user's wishes to a list of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.plan.external import External
from benchmarks.plan.fairness import inequalities
from benchmarks.plan.job import DataReference, Job, make_job
from benchmarks.plan.methods import get_method
from benchmarks.plan.overrides import Wishes
from benchmarks.plan.tables import TableSpec


@dataclass(frozen=True)
class PlannedJob:
    """A job and its place in the table.

    Attributes:
        row: from 1.
        chosen: whether the user asked for this row.
        validated: whether its model is scored on the whole validation split as well, for a study.
    """

    row: int
    label: str
    job: Job
    chosen: bool = True
    validated: bool = False


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
    external: Sequence[External] = (),
    allow_unequal: bool = False,
) -> Plan:
    """Every trained row with the same seeds, so that rows can be compared in pairs; the others once.

    Args:
        seeds: how many; they are 0, 1, ...
        rows: numbers of the rows to run, from 1; None for all.
        overrides: nested, as `make_job` takes them, for every row, and `methods.NAME` with the same sections
            for one method; the table's own switches are not among them.
        protocol: crop, augmentation and thresholds; None for the dataset's own.
        device: where the jobs will run.
        external: rows after the table's own.
        allow_unequal: let rows differ in data, budget or tiling.

    Raises:
        UserError: a row that does not exist, overrides that are not valid or would undo a switch, or rows that
            are not equal where they should be.
    """
    wishes = Wishes.read(table, overrides or {})
    _refuse_repeated_labels([row.label for row in table.rows] + [made.name for made in external])
    rows = _check_rows(table, rows, len(external))
    data = reference(dataset)
    protocol = protocol or dataset.protocol
    jobs = []
    for number, row in enumerate(table.rows, 1):
        method = table.method_of(row)
        if method is None:
            continue
        for seed in range(seeds if get_method(method).trained else 1):
            job = make_job(
                method,
                data,
                split=dataset.evaluation_split,
                scale=scale,
                protocol=protocol,
                seed=seed,
                overrides=wishes.of_row(table, row, scale),
                device=device,
            )
            jobs.append(PlannedJob(number, row.label, job, rows is None or number in rows))
    for number, made in enumerate(external, len(table.rows) + 1):
        job = made.job(dataset, data, scale=scale, protocol=protocol)
        jobs.append(PlannedJob(number, made.name, job, rows is None or number in rows))
    plan = Plan(table, jobs, scale, tuple(range(seeds)), data, dict(overrides or {}))
    if not allow_unequal:
        _refuse_unequal(plan)
    return plan


def _check_rows(table: TableSpec, rows: Sequence[int] | None, external: int) -> Sequence[int] | None:
    last = len(table.rows) + external
    for number in rows or ():
        if not 1 <= number <= last:
            raise UserError(f"{table.name} has no row {number}: rows are 1 to {last}.")
        if number <= len(table.rows) and table.method_of(table.rows[number - 1]) is None:
            raise UserError(f"row {number} of {table.name} only quotes the paper: there is nothing to run.")
    return rows


def _refuse_repeated_labels(labels: Sequence[str]) -> None:
    for index, label in enumerate(labels):
        if label in labels[:index]:
            raise UserError(f"there would be two rows called '{label}': give --external another NAME.")


def _refuse_unequal(plan: Plan) -> None:
    found = inequalities([(planned.label, planned.job) for planned in plan.jobs])
    if found:
        raise UserError(
            f"The rows of {plan.table.name} would not be compared on equal terms:\n"
            + "".join(f"  {inequality.describe()}\n" for inequality in found)
            + "Give all rows the same, or --allow-unequal, which every report of this table will then say."
        )
