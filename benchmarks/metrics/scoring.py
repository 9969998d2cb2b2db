"""An image's metrics in one row, and their means over images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from numpy.typing import ArrayLike

from benchmarks.metrics.catalogue import COMPAT_METRICS, METRICS, table_metrics
from benchmarks.metrics.contingency import contingency_table


def score_image(truth: ArrayLike, prediction: ArrayLike, *, compat: bool = False) -> dict[str, Any]:
    """Return `truth` and `predicted`, the numbers of instances, and every metric of one image.

    Args:
        truth: (H, W) integers, 0 background.
        prediction: the same.
        compat: add the metrics that reproduce released evaluations.

    Raises:
        UserError: as `contingency_table`.
    """
    table = contingency_table(truth, prediction)
    return {
        "truth": table.num_truth,
        "predicted": table.num_predicted,
        **table_metrics(table, compat=compat),
    }


def mean_scores(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean over images of every metric the rows hold, correctly rounded whatever their order."""
    rows = list(rows)
    return {name: fmean(row[name] for row in rows) for name in METRICS | COMPAT_METRICS if name in rows[0]}
