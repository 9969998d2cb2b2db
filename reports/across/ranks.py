"""Mean ranks of rows, and which pairs of rows are told apart, on one data set or on several together.

Definitions, for rows r, images i and seeds s of a data set:

- The **rank** of a row is its place among all rows by the score of one image under one seed, 1 the best; equal ones
  share their mean rank (Friedman, 1937; Demsar, 2006). Its **mean rank** is taken over images and seeds.
- **Together**, a mean rank is the mean over data sets of their mean ranks: each counts once, whatever its images.
- The **interval** of a mean rank draws images and seeds of each data set (`reports.statistics`). It is about other
  images and trainings on these data sets; a handful of data sets says little about others.
- Two rows are **told apart** by their paired difference of scores, not of ranks, so that a pair does not depend on
  which other rows there are (Benavoli, Corani and Mangili, 2016): the signed-rank test over all images, corrected by
  Holm over all pairs, and the interval of the mean difference, on the same side of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from reports.across.collected import AcrossSets
from reports.comparisons import ALPHA
from reports.statistics import Interval, holm, interval_over_sets, signed_rank


@dataclass(frozen=True)
class Pair:
    """Two rows by their places among the labels.

    Attributes:
        effect: mean over data sets of the mean difference of scores, first less second, more being better.
        sign: 1 where the first is significantly better, -1 where it is worse, else 0.
    """

    first: int
    second: int
    effect: float
    interval: Interval
    p_holm: float
    sign: int


@dataclass(frozen=True)
class Ranking:
    """Rows ranked on one data set, or on several together.

    Attributes:
        means: mean rank of each row, in the order of the labels.
        intervals: of the mean ranks.
        pairs: every two rows.
        friedman: p of Friedman's test over images, each the mean over its seeds, of "no row differs"; NaN for two rows.
    """

    means: tuple[float, ...]
    intervals: tuple[Interval, ...]
    pairs: tuple[Pair, ...]
    friedman: float

    @property
    def order(self) -> list[int]:
        """Places of the rows from the best mean rank to the worst; of equals the first in the table."""
        return sorted(range(len(self.means)), key=lambda place: self.means[place])


def rank(across: AcrossSets) -> Ranking:
    """Rank the rows on all the data sets of `across`."""
    scores = [one.scores for one in across.sets]
    ranks = [image_ranks(of_set) for of_set in scores]
    rows = range(len(across.labels))
    return Ranking(
        means=tuple(float(np.mean([of_set[row].mean() for of_set in ranks])) for row in rows),
        intervals=tuple(interval_over_sets([of_set[row] for of_set in ranks]) for row in rows),
        pairs=_pairs(scores),
        friedman=_friedman(scores),
    )


def image_ranks(scores: np.ndarray) -> np.ndarray:
    """Rank rows for each image and seed: (R, N, S) scores, more being better, to ranks from 1."""
    return np.asarray(stats.rankdata(-np.round(scores, 12), axis=0))


def _pairs(scores: Sequence[np.ndarray]) -> tuple[Pair, ...]:
    found = []
    for first, second in combinations(range(len(scores[0])), 2):
        differences = [of_set[first] - of_set[second] for of_set in scores]
        p, ranks = signed_rank(np.concatenate([one.mean(axis=1) for one in differences]))
        effect = float(np.mean([one.mean() for one in differences]))
        found.append((first, second, effect, interval_over_sets(differences), p, ranks))
    corrected = holm([p for *_, p, _ in found])
    return tuple(
        Pair(first, second, effect, interval, float(p), _sign(float(p), interval, ranks))
        for (first, second, effect, interval, _, ranks), p in zip(found, corrected, strict=True)
    )


def _sign(p: float, interval: Interval, ranks: float) -> int:
    if p >= ALPHA:
        return 0
    if interval.low > 0 and ranks > 0:
        return 1
    return -1 if interval.high < 0 and ranks < 0 else 0


def _friedman(scores: Sequence[np.ndarray]) -> float:
    over_seeds = np.concatenate([of_set.mean(axis=2) for of_set in scores], axis=1)
    if len(over_seeds) < 3:
        return float("nan")
    if (over_seeds == over_seeds[0]).all():
        return 1.0
    return float(stats.friedmanchisquare(*np.round(over_seeds, 12)).pvalue)
