"""A table as a data frame, in full precision, with one line for each row of the table."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pandas as pd

from benchmarks.metrics import COMPAT_METRICS, METRICS
from reports.cells import Figure
from reports.collect import RowResults, TableResults
from reports.comparisons import AgainstReference, against_reference
from reports.pairing import image_means
from reports.published import in_own_unit
from reports.statistics import mean_interval

COSTS = (
    "parameters",
    "flops_per_crop",
    "iterations",
    "train_seconds",
    "seconds_per_iteration",
    "seconds_per_image",
    "peak_memory_bytes",
)


def to_frame(results: TableResults) -> pd.DataFrame:
    """Make a data frame of everything that is known about a table.

    A line has label, origin, method and switches; for each metric mean, std, interval, seeds, published, difference
    and the comparison with the table's reference; then costs, jobs and gaps.

    The paper's metrics come first, then every other one that was measured, all in the metric's own unit, however
    the table prints it. `difference` is measured less published. `std` is the sample standard deviation over seeds,
    `ci_low` to `ci_high` the 95 % bootstrap interval over images of the mean over seeds: the first is about other
    trainings, the second about other images. The paper's metrics also have `reference_effect`, the paired mean
    difference from the reference row, positive where this row is better, whatever the metric's direction; its 95 %
    interval over images and seeds, `reference_low` to `reference_high`; the signed-rank test's `reference_p` and
    `reference_p_holm`, corrected over the table; and `reference_detectable`, the smallest difference that is found with
    80 % power. Definitions are in `reports.statistics` and `reports.detectable`.
    Costs are means over seeds, peak memory the largest; those of label maps made elsewhere are not known. An
    empty cell is a figure that does not exist.
    """
    measured = {name for result in results.results for name in result.metrics}
    others = [name for name in METRICS | COMPAT_METRICS if name in measured - set(results.spec.metrics)]
    metrics = [*results.spec.metrics, *others]
    against = against_reference(results)
    frame = pd.DataFrame([_line(results, row, metrics, against) for row in results.rows])
    # Whole numbers stay integers, even where a row has none.
    return frame.convert_dtypes()


def _line(results: TableResults, row: RowResults, metrics: list[str], against: AgainstReference) -> dict[str, Any]:
    line: dict[str, Any] = {"row": row.number, "label": row.label, "origin": row.origin, "method": row.method}
    line |= results.spec.marks(row.spec)
    for metric in metrics:
        figure = Figure.of(row.measured(metric))
        published = in_own_unit(row.published.get(metric), results.spec.shown(metric))
        line[f"{metric}_mean"] = figure and figure.mean
        line[f"{metric}_std"] = figure and figure.std
        line[f"{metric}_ci_low"], line[f"{metric}_ci_high"] = _interval(row, metric)
        line[f"{metric}_seeds"] = figure.seeds if figure else 0
        line[f"{metric}_published"] = published
        line[f"{metric}_difference"] = figure.mean - published if figure and published is not None else None
        if metric in results.spec.metrics:
            line |= _against_reference(row, metric, against)
    line |= row_costs(row)
    line["seeds"] = " ".join(str(result.seed) for result in row.results)
    line["jobs"] = " ".join(result.key for result in row.results)
    line["gaps"] = " ".join(f"{gap.reason} ({gap.key})" if gap.key else gap.reason for gap in row.gaps)
    return line


def _interval(row: RowResults, metric: str) -> tuple[float | None, float | None]:
    means = list(image_means(row, metric).values())
    return mean_interval(means) if means else (None, None)


def _against_reference(row: RowResults, metric: str, against: AgainstReference) -> dict[str, float | None]:
    found = against.comparisons.get((row.number, metric))
    names = ("effect", "low", "high", "p", "p_holm", "detectable")
    values = {f"{metric}_reference_{name}": getattr(found, name) if found else None for name in names}
    # Where no difference is large enough to be found, and for the interval of one image, there is no figure.
    return {name: value if value is not None and math.isfinite(value) else None for name, value in values.items()}


def row_costs(row: RowResults) -> dict[str, float | None]:
    """Average each cost over seeds, but take the largest peak memory; None where a cost is not known."""
    return {cost: _cost(row, cost) for cost in COSTS}


def _cost(row: RowResults, cost: str) -> float | None:
    values = [value for result in row.results if (value := getattr(result.cost, cost)) is not None]
    if not values or row.origin == "external":
        return None
    return max(values) if cost == "peak_memory_bytes" else statistics.fmean(values)
