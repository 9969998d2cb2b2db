"""The paper's figures, from `reports/published/`."""

from __future__ import annotations

import csv
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.tables import Scalar, TableSpec

PUBLISHED = Path(__file__).parent / "published"

Line = dict[str, str]


def published_figures(spec: TableSpec, folder: Path = PUBLISHED) -> list[Line]:
    """The published figures of each of the table's rows, as printed: metric -> text, no entry for a dash.

    A row is found by the values of its switches, not by its place.

    Raises:
        UserError: the file lacks a column, or has not exactly one row for a row of the table.
    """
    path = folder / spec.published.file
    with path.open(newline="") as stream:
        reader = csv.DictReader(stream)
        lines = list(reader)
    fields = [column.field for column in spec.columns]
    if missing := sorted({*fields, *spec.metrics} - set(reader.fieldnames or [])):
        raise UserError(f"{path} has no column {', '.join(missing)}, which {spec.name} needs.")
    if len(lines) != len(spec.rows):
        raise UserError(f"{path} has {len(lines)} rows, {spec.name} has {len(spec.rows)}.")
    return [_find(path, spec, lines, spec.marks(row)) for row in spec.rows]


def _find(path: Path, spec: TableSpec, lines: list[Line], marks: dict[str, Scalar]) -> Line:
    found = [line for line in lines if all(_equal(line[field], value) for field, value in marks.items())]
    if len(found) != 1:
        switches = ", ".join(f"{field}={value}" for field, value in marks.items())
        raise UserError(f"{path} has {len(found)} rows with {switches}; {spec.name} needs exactly one.")
    return {metric: found[0][metric] for metric in spec.metrics if found[0][metric]}


def _equal(text: str, value: Scalar) -> bool:
    """Compare a CSV cell with a switch: check marks are 1 and 0, numbers compare as numbers."""
    return text == value if isinstance(value, str) else float(text) == float(value)
