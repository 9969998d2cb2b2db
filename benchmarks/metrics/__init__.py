"""Metrics of instance segmentation, all from one contingency table of pixel counts.

They are computed per image and averaged over images; pooling a dataset's instances gives other figures.
"""

from __future__ import annotations

from benchmarks.metrics.catalogue import COMPAT_METRICS, METRICS, Metric, image_metrics, table_metrics
from benchmarks.metrics.contingency import ContingencyTable, contingency_table
from benchmarks.metrics.relabel import relabel

__all__ = [
    "COMPAT_METRICS",
    "METRICS",
    "ContingencyTable",
    "Metric",
    "contingency_table",
    "image_metrics",
    "relabel",
    "table_metrics",
]
