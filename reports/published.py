"""The paper's figures, from `reports/published/`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.plan.tables import Display, Scalar, TableSpec

PUBLISHED = Path(__file__).parent / "published"

Line = dict[str, str]


def published_figures(spec: TableSpec, folder: Path = PUBLISHED) -> list[Line]:
    """Read the published figures of each row of a table, as printed: metric -> text, no entry for a dash.

    A row is found by its name in the column `published.key`, or by the values of its switches, not by its position.
    A row that is not in the paper has no figures, and none has any of a metric that the file has no column of.

    Raises:
        UserError: the file lacks a column, has not exactly one row for a row of the table, or has a row that
            the table does not show.
    """
    path = folder / spec.published.file
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        lines = list(reader)
    key = spec.published.key
    fields = [key] if key else [column.field for column in spec.columns]
    if missing := sorted(set(fields) - set(reader.fieldnames or [])):
        raise UserError(f"{path} has no column {', '.join(missing)}, which {spec.name} needs.")
    if key:
        names = [row.published for row in spec.rows]
        if unshown := sorted({line[key] for line in lines} - set(names)):
            raise UserError(f"{path} has {key} {unshown[0]}, which no row of {spec.name} shows.")
        return [_find(path, spec, lines, {key: name}) if name is not None else {} for name in names]
    if len(lines) != len(spec.rows):
        raise UserError(f"{path} has {len(lines)} rows, {spec.name} has {len(spec.rows)}.")
    return [_find(path, spec, lines, spec.marks(row)) for row in spec.rows]


def _find(path: Path, spec: TableSpec, lines: list[Line], wanted: Mapping[str, Scalar]) -> Line:
    found = [line for line in lines if all(_equal(line[field], value) for field, value in wanted.items())]
    if len(found) != 1:
        values = ", ".join(f"{field}={value}" for field, value in wanted.items())
        raise UserError(f"{path} has {len(found)} rows with {values}; {spec.name} needs exactly one.")
    return {metric: found[0][metric] for metric in spec.metrics if found[0].get(metric)}


def _equal(text: str, value: Scalar) -> bool:
    """Compare a CSV cell with a switch: check marks are 1 and 0, numbers compare as numbers."""
    return text == value if isinstance(value, str) else float(text) == float(value)


def in_own_unit(printed: str | None, display: Display) -> float | None:
    """Convert a published figure in decimal arithmetic: 68.3 per cent is 0.683, not the float beside it."""
    return float(Decimal(printed) / Decimal(str(display.factor))) if printed else None
