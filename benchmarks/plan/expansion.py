"""From a table and what the user changes of it to a list of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.errors import UserError
from benchmarks.plan.fairness import inequalities
from benchmarks.plan.job import DataReference, Job, JobContext
from benchmarks.plan.methods import Obstacle, get_method
from benchmarks.plan.overrides import TableOverrides
from benchmarks.plan.resolving import make_job
from benchmarks.plan.tables import RowSpec, TableSpec


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
    """The jobs of one run of a table, row by row, seed by seed.

    Attributes:
        left_out: rows that cannot be run here, by number. Their jobs, where the scale has any, are not chosen: results
            that another machine made of them stay the row's.
    """

    table: TableSpec
    jobs: list[PlannedJob]
    scale: str
    seeds: tuple[int, ...]
    data: DataReference
    overrides: dict[str, Any]
    left_out: Mapping[int, Obstacle] = field(default_factory=dict)

    @property
    def chosen(self) -> list[PlannedJob]:
        return [planned for planned in self.jobs if planned.chosen]


def expand_table(
    table: TableSpec,
    context: JobContext,
    *,
    seeds: int,
    rows: Sequence[int] | None = None,
    overrides: Mapping[str, Any] | None = None,
    external: Sequence[tuple[str, Job]] = (),
    allow_unequal: bool = False,
) -> Plan:
    """Every trained row with the same seeds, so that rows can be compared in pairs; the others once.

    Args:
        seeds: how many; they are 0, 1, ...
        rows: numbers of the rows to run, from 1; None for all that can be run here.
        overrides: nested, as `make_job` takes them, for every row, and `methods.NAME` with the same sections
            for one method; the table's own switches are not among them.
        external: rows after the table's own, each with its label, see `External.job`.
        allow_unequal: let rows differ in data, budget or tiling.

    Raises:
        UserError: a row that does not exist or cannot be run here, overrides that are not valid or would undo a
            switch, or rows that are not equal where they should be.
    """
    changes = TableOverrides.read(table, overrides or {})
    _refuse_repeated_labels([row.label for row in table.rows] + [label for label, _ in external])
    obstacles = _obstacles(table, context.scale)
    rows = _check_rows(table, rows, len(external), obstacles)
    jobs = [
        PlannedJob(number, row.label, job, number not in obstacles if rows is None else number in rows)
        for number, row in enumerate(table.rows, 1)
        for job in _jobs_of_row(table, row, context, changes, seeds)
    ]
    jobs += [
        PlannedJob(number, label, job, rows is None or number in rows)
        for number, (label, job) in enumerate(external, len(table.rows) + 1)
    ]
    left_out = obstacles if rows is None else {}
    plan = Plan(table, jobs, context.scale, tuple(range(seeds)), context.data, dict(overrides or {}), left_out)
    if not allow_unequal:
        _refuse_unequal(plan)
    return plan


def _jobs_of_row(table: TableSpec, row: RowSpec, context: JobContext, changes: TableOverrides, seeds: int) -> list[Job]:
    """A job for each seed; none for a row that only quotes the paper, or whose method the scale does not have."""
    method = table.method_of(row)
    if method is None or not get_method(method).offered_at(context.scale):
        return []
    overrides = changes.of_row(table, row, context.scale)
    count = seeds if get_method(method).trained else 1
    return [make_job(method, context, seed=seed, overrides=overrides) for seed in range(count)]


def _obstacles(table: TableSpec, scale: str) -> dict[int, Obstacle]:
    """Which rows cannot be run here, by number, and why."""
    methods = {number: table.method_of(row) for number, row in enumerate(table.rows, 1)}
    found = {number: get_method(method).obstacle(scale) for number, method in methods.items() if method}
    return {number: obstacle for number, obstacle in found.items() if obstacle}


def _check_rows(
    table: TableSpec, rows: Sequence[int] | None, external: int, obstacles: Mapping[int, Obstacle]
) -> Sequence[int] | None:
    last = len(table.rows) + external
    for number in rows or ():
        if not 1 <= number <= last:
            raise UserError(f"{table.name} has no row {number}: rows are 1 to {last}.")
        if number <= len(table.rows) and table.method_of(table.rows[number - 1]) is None:
            raise UserError(f"row {number} of {table.name} only quotes the paper: there is nothing to run.")
        if number in obstacles:
            raise UserError(f"row {number} of {table.name} cannot be run here. {obstacles[number]}.")
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
