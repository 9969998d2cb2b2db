"""The paper's tables as data: which rows, which switches, which metrics.

A table is a YAML file beside this module; a new table needs no code. Names are the file names without suffix.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from benchmarks.metrics import METRICS
from benchmarks.plan.scales import SCALES
from benchmarks.plan.specifications import (
    Name,
    NamedSpecification,
    Specification,
    find_specification,
    list_names,
    read_named,
)

TABLES = Path(__file__).parent

DottedPath = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$")]
Scalar = bool | int | float | str


class Condition(Specification):
    """A value in result.json that a measurement shares with the published one.

    Without `value`, anything but null will do.
    """

    what: str
    path: DottedPath
    value: Scalar | None = None


class Published(Specification):
    """Where a table's published figures are, and when a measurement compares with them.

    Conditions on the job and its cost are asked of trained rows only.
    """

    file: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+\.csv$")]  # in reports/published/
    key: Name | None = None  # the CSV's column that rows name in `published`; None: rows are found by their switches
    dataset: str  # as the paper writes it
    remark: str  # what else the paper says, or leaves out, of how they were made
    data: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]  # the kind of data specification
    conditions: list[Condition]


class Column(Specification):
    """One column of switches: its heading, its column in the published CSV and the model's field it shows.

    With `absent`, the column holds check marks: a row has the component unless its override equals `absent`.
    Without, it shows the override's value, which every row then has to give.
    """

    field: Name
    heading: str
    latex: str
    path: DottedPath
    absent: Scalar | None = None


class RowSpec(Specification):
    """One row: a method and the fields of its configuration that it sets, by dotted path."""

    label: str
    method: Name | None = None  # None: the table's; a row without either only quotes the paper
    overrides: dict[DottedPath, Scalar] = Field(default_factory=dict)
    published: str | None = None  # the row's name in the published CSV; None: the paper does not have it
    apart: bool = False  # stands between rules of its own with the rows like it, after those of the paper


class Display(Specification):
    """How figures of a metric are printed: value × factor, so many digits. Published figures are printed ones."""

    factor: float = 1.0
    digits: int = 4


class TableSpec(NamedSpecification):
    """A table of the paper: what is run, and how it is shown.

    Its rows are variants of one method, told apart by `columns` of switches, or different methods, told apart
    by their labels (no columns).
    """

    title: str
    caption: str
    method: Name | None = None
    reference: str  # label of the row that the paper argues for: every other is compared with it
    generated: Literal["synthetic-nuclei", "synthetic-rosettes"] = "synthetic-nuclei"  # where the user gives no data
    published: Published
    # What all rows have in the paper; the user may change it.
    fixed: dict[DottedPath, Scalar] = Field(default_factory=dict)
    # What trained rows share at one scale; the user may change it.
    scales: dict[Name, dict[DottedPath, Scalar]] = Field(default_factory=dict)
    columns: list[Column] = Field(default_factory=list)
    rows: Annotated[list[RowSpec], Field(min_length=1)]
    metrics: Annotated[list[Name], Field(min_length=1)]
    display: dict[Name, Display] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> TableSpec:
        for number, row in enumerate(self.rows, 1):
            self._check_row(number, row)
        if clash := sorted({column.path for column in self.columns} & set(self.fixed)):
            raise ValueError(f"{', '.join(clash)} is both fixed and varied")
        if unknown := sorted(set(self.scales) - set(SCALES)):
            raise ValueError(f"there is no scale {unknown[0]}: there are {', '.join(SCALES)}")
        if self.published.key is None and not self.columns:
            raise ValueError("published rows are found by switches or by `key`: give columns or published.key")
        if self.reference not in [row.label for row in self.rows if self.method_of(row)]:
            raise ValueError(f"the reference '{self.reference}' is the label of no row that is run")
        if unknown := sorted(set(self.display) - set(self.metrics)):
            raise ValueError(f"display names {unknown[0]}, which is none of the table's metrics")
        if unknown := sorted(set(self.metrics) - set(METRICS)):
            raise ValueError(f"unknown metric {unknown[0]}: there are {', '.join(METRICS)}")
        _refuse_repeats("columns", [column.field for column in self.columns])
        _refuse_repeats("metrics", self.metrics)
        _refuse_repeats("rows", [str(self.marks(row) or row.label) for row in self.rows])
        return self

    def _check_row(self, number: int, row: RowSpec) -> None:
        if self.columns and (self.method is None or row.method is not None):
            raise ValueError(f"row {number}: with columns of switches, all rows are of the table's method")
        if row.published is None and self.method_of(row) is None:
            raise ValueError(f"row {number} has neither a method nor published figures")
        if unshown := sorted(set(row.overrides) - {column.path for column in self.columns}):
            if self.columns:
                raise ValueError(f"row {number} overrides {', '.join(unshown)}, which no column shows")
            if self.method_of(row) is None:
                raise ValueError(f"row {number} overrides {', '.join(unshown)} of no method")
        for column in self.columns:
            if column.absent is None and column.path not in row.overrides:
                raise ValueError(f"row {number} gives no value for {column.path} (column {column.field})")

    def method_of(self, row: RowSpec) -> str | None:
        """The row's method; None where the paper is only quoted."""
        return row.method or self.method

    @property
    def row_heading(self) -> str:
        """What tells the rows apart."""
        return "row" if self.columns else "method"

    def shown(self, metric: str) -> Display:
        """How figures of a metric are printed."""
        return self.display.get(metric, Display())

    def marks(self, row: RowSpec) -> dict[str, Scalar]:
        """The row's switches by column field: True or False for a check mark, else the value it sets.

        Empty for a row of another method than the table's.
        """
        if row.method is not None:
            return {}
        return {
            column.field: row.overrides[column.path]
            if column.absent is None
            else row.overrides.get(column.path) != column.absent
            for column in self.columns
        }

    def overrides(self, row: RowSpec) -> dict[str, Scalar]:
        """Everything the row sets in the model's configuration, by dotted path: the table's and its own."""
        return {**self.fixed, **row.overrides}


def list_tables() -> list[str]:
    """Names of the tables that can be run."""
    return list_names(TABLES)


def load_table(name: str) -> TableSpec:
    """The specification of one table.

    Raises:
        UserError: no such table (the message suggests the nearest name).
    """
    return read_table(find_specification(TABLES, name, "table"))


def read_table(path: Path) -> TableSpec:
    """Read and validate one specification file.

    Raises:
        UserError: the file is not YAML, has an unknown or missing key, or contradicts itself.
    """
    return read_named(path, TableSpec, "table")


def _refuse_repeats(what: str, values: list[Any]) -> None:
    if repeated := [value for value, count in Counter(values).items() if count > 1]:
        raise ValueError(f"{what} repeat: {repeated[0]}")
