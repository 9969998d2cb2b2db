"""Plan the jobs that a figure shows, which are jobs of its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures.specification import FigureSpec
from benchmarks.plan.expansion import Plan, expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.tables import load_table


def figure_plan(
    spec: FigureSpec, context: JobContext, overrides: Mapping[str, Any] | None = None, *, allow_unequal: bool = False
) -> Plan:
    """Plan the jobs that the figure shows: those of its rows with seed 0, under their keys in the table.

    Arguments and errors are those of `expand_table`.
    """
    table = load_table(spec.table)
    rows = None
    if spec.rows is not None:
        rows = [number for number, row in enumerate(table.rows, 1) if row.label in spec.rows]
    return expand_table(table, context, seeds=1, rows=rows, overrides=overrides, allow_unequal=allow_unequal)
