"""All metrics by name: what each is called, which way is better, its range, and how to compute it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from benchmarks.metrics.aji import aji, aji_pea, aji_plus
from benchmarks.metrics.contingency import ContingencyTable, contingency_table
from benchmarks.metrics.dice import dice, symmetric_best_dice
from benchmarks.metrics.matching import (
    average_precision,
    f1,
    panoptic_quality,
    precision_at,
    segmentation_quality,
)


@dataclass(frozen=True)
class Metric:
    """One figure for one image, computed from its contingency table.

    Attributes:
        name: column in files, key in results.
        title: heading in plain text; a writer escapes it.
        description: one line for people.
        compute: table to value.
        direction: which way is better; "none" where neither is (a signed error).
        lower: lowest possible value.
        upper: highest possible value, infinite for counts.
    """

    name: str
    title: str
    description: str
    compute: Callable[[ContingencyTable], float]
    direction: Literal["max", "min", "none"] = "max"
    lower: float = 0.0
    upper: float = 1.0


def difference_in_count(table: ContingencyTable) -> float:
    """Return DiC, predicted minus true instances."""
    return float(table.num_predicted - table.num_truth)


def _precision_at_50(table: ContingencyTable) -> float:
    return precision_at(table, 50)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("aji", "AJI", "aggregated Jaccard index, each truth with its best prediction", aji),
        Metric("aji_plus", "AJI+", "aggregated Jaccard index, one-to-one assignment", aji_plus),
        Metric("dice", "Dice", "Dice of the foreground masks", dice),
        Metric("f1", "F1", "detection F1 at IoU > 0.5", f1),
        Metric("pq", "PQ", "panoptic quality, DQ · SQ, one class of things", panoptic_quality),
        Metric("dq", "DQ", "detection quality at IoU > 0.5, the same as F1", f1),
        Metric("sq", "SQ", "segmentation quality, mean IoU of matches at IoU > 0.5", segmentation_quality),
        Metric("sbd", "SBD", "symmetric best Dice, the lower of the two directions", symmetric_best_dice),
        Metric(
            "abs_dic", "|DiC|", "absolute difference in count",
            lambda table: abs(difference_in_count(table)), "min", 0.0, math.inf,
        ),
        Metric(
            "dic", "DiC", "difference in count, predicted minus true",
            difference_in_count, "none", -math.inf, math.inf,
        ),
        Metric("ap50", "AP50", "TP / (TP + FP + FN) at IoU > 0.5; not COCO's", _precision_at_50),
        Metric("ap", "AP", "the same, mean over IoU 0.50:0.05:0.95; not COCO's", average_precision),
    )
}  # fmt: skip

COMPAT_METRICS: dict[str, Metric] = {
    "aji_pea": Metric("aji_pea", "AJI (PEA)", "AJI as the PEA and PCTrans evaluation computes it", aji_pea)
}


def table_metrics(table: ContingencyTable, *, compat: bool = False) -> dict[str, float]:
    """Return every metric of one image by name, in the order of `METRICS`; `compat` adds `COMPAT_METRICS`.

    Where both maps are empty every quality is 1 and the counts 0; where exactly one is, every quality is 0.
    """
    chosen = METRICS | COMPAT_METRICS if compat else METRICS
    return {name: metric.compute(table) for name, metric in chosen.items()}


def image_metrics(truth: ArrayLike, prediction: ArrayLike, *, compat: bool = False) -> dict[str, float]:
    """Return every metric of two (H, W) integer label maps, 0 background.

    Raises:
        UserError: as `contingency_table`.
    """
    return table_metrics(contingency_table(truth, prediction), compat=compat)
