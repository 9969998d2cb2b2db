"""How much of a metric each kind of error costs: what it would be if that kind were mended.

Mending a kind gives each of its truths a perfect prediction and takes its predictions away; mending the boundary makes
every match perfect. Mended one kind after the other, the metric ends at 1, but what a kind brings depends on what was
mended before it: of one missed and one spurious instance beside one match, the first to be mended brings more or less
than the second. A kind's *share* is therefore its mean gain over all orders (the value of Shapley, 1953), so no order
is preferred and the shares of an image add up to 1 less the metric. Its *gain alone* is that of being mended first, as
in TIDE (Bolya et al., ECCV 2020); these do not add up.

Means over images of shares add up in the same way. Where both maps are empty all shares are 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

KINDS = ("missed", "spurious", "merged", "split", "localisation", "boundary")
"""The kinds of error; boundary is that of matches, the others are of instances that match nothing."""

_BOUNDARY = KINDS.index("boundary")


@dataclass(frozen=True)
class ErrorCounts:
    """What the shares of one image are computed from.

    Attributes:
        truths: unmatched truths by kind, pixels aside; a kind that is not named has none.
        predictions: unmatched predictions by kind.
        iou_sum: sum of the IoU of the matches.
        matched_at: matches above each threshold of AP, the first being 0.5.
    """

    truths: Mapping[str, int]
    predictions: Mapping[str, int]
    iou_sum: float
    matched_at: Sequence[int]


@dataclass(frozen=True)
class Costs:
    """What each kind of error costs, in the metric's unit.

    Attributes:
        shares: mean gain over all orders of mending; they add up to 1 less the metric.
        alone: gain if this kind alone is mended.
    """

    shares: dict[str, float]
    alone: dict[str, float]


def pq_costs(counts: ErrorCounts) -> Costs:
    """Share out 1 - PQ."""
    matched = counts.matched_at[0]
    truths, predictions = _by_kind(counts.truths), _by_kind(counts.predictions)
    subsets = _subsets()
    gained, gone = subsets @ truths, subsets @ predictions
    unmatched = truths.sum() + predictions.sum() - gained - gone
    iou_sum = counts.iou_sum + subsets[:, _BOUNDARY] * (matched - counts.iou_sum) + gained
    return _costs(_ratios(iou_sum, matched + gained + unmatched / 2))


def ap_costs(counts: ErrorCounts) -> Costs:
    """Share out 1 - AP, the mean over the thresholds of TP / (TP + FP + FN).

    A pair that matches at 0.5 but not at a higher threshold is lost there to the boundary.
    """
    subsets = _subsets()
    values = []
    for matched in counts.matched_at:
        truths, predictions = _by_kind(counts.truths), _by_kind(counts.predictions)
        truths[_BOUNDARY] = predictions[_BOUNDARY] = counts.matched_at[0] - matched
        gained, gone = subsets @ truths, subsets @ predictions
        found = matched + gained
        values.append(_ratios(found, found + truths.sum() + predictions.sum() - gained - gone))
    return _costs(np.mean(values, axis=0))


def _by_kind(counts: Mapping[str, int]) -> NDArray[np.float64]:
    return np.array([counts.get(kind, 0) for kind in KINDS], float)


def _ratios(numerators: NDArray[np.float64], denominators: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quotients, 1 where nothing is left: nothing was there and nothing is claimed."""
    return np.divide(numerators, denominators, out=np.ones_like(numerators), where=denominators > 0)


def _costs(values: NDArray[np.float64]) -> Costs:
    """Share out what is gained between no kind mended and all.

    Args:
        values: the metric for each subset of mended kinds, as `_subsets` orders them.
    """
    shares = _shapley() @ values
    alone = [values[1 << index] - values[0] for index in range(len(KINDS))]
    return Costs(dict(zip(KINDS, shares.tolist(), strict=True)), dict(zip(KINDS, map(float, alone), strict=True)))


@lru_cache(maxsize=1)
def _subsets() -> NDArray[np.float64]:
    """All subsets of the kinds, (64, 6): 1 where the kind is mended; row n has the bits of n."""
    kinds = np.arange(len(KINDS))
    return ((np.arange(1 << len(KINDS))[:, None] >> kinds) & 1).astype(float)


@lru_cache(maxsize=1)
def _shapley() -> NDArray[np.float64]:
    """The operator from a value for each subset to the mean gain of each kind over all orders, (6, 64)."""
    count = len(KINDS)
    operator = np.zeros((count, 1 << count))
    for subset in range(1 << count):
        before = subset.bit_count()
        for kind in range(count):
            if not subset >> kind & 1:
                # The share of orders in which exactly these kinds come before this one.
                weight = factorial(before) * factorial(count - before - 1) / factorial(count)
                operator[kind, subset | 1 << kind] += weight
                operator[kind, subset] -= weight
    return operator
