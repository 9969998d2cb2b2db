"""Truths in groups: by quartiles of their size, and by whether they touch another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.anatomy import Anatomy
from benchmarks.store.anatomy import FateCounts

SIZES = ("size_1", "size_2", "size_3", "size_4")
TOUCHING, APART = "touching", "apart"

GROUPS: Mapping[str, str] = {
    "size_1": "smallest quarter",
    "size_2": "second quarter",
    "size_3": "third quarter",
    "size_4": "largest quarter",
    TOUCHING: "touching another",
    APART: "touching none",
}
"""Groups by name, each with what it holds. Quarters are by area, of all true objects of the split."""

Quartiles = tuple[float, float, float]


def quartiles(anatomies: Sequence[Anatomy]) -> Quartiles | None:
    """Quartiles of the areas (pixels) of all truths of some images; None where there is no truth."""
    areas = np.concatenate([one.table.truth_areas for one in anatomies]) if anatomies else np.empty(0)
    if not len(areas):
        return None
    low, middle, high = np.quantile(areas, (0.25, 0.5, 0.75)).tolist()
    return low, middle, high


def group_counts(one: Anatomy, bounds: Quartiles | None) -> dict[str, FateCounts]:
    """Count the fates of an image's truths in each group that has any.

    Args:
        bounds: quartiles of the split; an area that equals one belongs below it.
    """
    members: dict[str, NDArray[np.bool_]] = {TOUCHING: one.touching, APART: ~one.touching}
    if bounds is not None:
        quarter = np.searchsorted(bounds, one.table.truth_areas, side="left")
        members = {name: quarter == number for number, name in enumerate(SIZES)} | members
    return {name: _counts(one, inside) for name, inside in members.items() if inside.any()}


def _counts(one: Anatomy, inside: NDArray[np.bool_]) -> FateCounts:
    fates, counts = np.unique(one.fates.truths[inside], return_counts=True)
    return FateCounts(**dict(zip(fates.tolist(), counts.tolist(), strict=True)), iou_sum=float(one.ious[inside].sum()))
