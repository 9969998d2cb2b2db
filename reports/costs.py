"""The cost of each row, as text for a table."""

from __future__ import annotations

import pandas as pd

from reports.collect import TableResults
from reports.frame import row_costs

# Heading -> cost in the data frame, format and unit.
_COSTS: dict[str, tuple[str, str, float]] = {
    "parameters": ("parameters", ",.0f", 1),
    "GFLOP / training crop": ("flops_per_crop", ",.2f", 1e9),
    "iterations": ("iterations", ",.0f", 1),
    "training s": ("train_seconds", ",.0f", 1),
    "s / iteration": ("seconds_per_iteration", ".3f", 1),
    "s / test image": ("seconds_per_image", ".3f", 1),
    "peak memory GiB": ("peak_memory_bytes", ".2f", 2**30),
}

COST_NOTE = (
    "Operations are those of matrix products, convolutions and attention in forward pass, losses and backward pass. "
    "Peak memory is the process's, libraries included; on an accelerator, what was allocated there."
)


def cost_table(results: TableResults) -> tuple[list[str], list[list[str]]]:
    """Make headings and a line for each row that was run here: number, label, costs; a dash for an unknown cost."""
    here = [(row, row_costs(row)) for row in results.rows if row.origin in ("trained", "untrained")]
    lines = [
        [str(row.number), row.label, *(number(costs[cost], form, unit) for cost, form, unit in _COSTS.values())]
        for row, costs in here
    ]
    return ["#", results.spec.row_heading, *_COSTS], lines


def number(value: float | None, form: str, unit: float = 1) -> str:
    """Print a figure in a unit; a dash where there is none."""
    return "-" if value is None or pd.isna(value) else format(value / unit, form)
