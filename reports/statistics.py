"""Every statistic of the reports, defined in one place: intervals, tests and corrections, all on NumPy arrays.

Definitions, for images i = 1..N and seeds s = 1..S:

- A **mean** is taken over the images of each seed, then over seeds; its **standard deviation** is that of the S seeds'
  means (S - 1 in the denominator). It says how trainings differ, and is what tables print after ±.
- The **interval of a mean** says how images differ: values are averaged over seeds, images are drawn with replacement,
  and the mean is taken again (percentile bootstrap). It says nothing about other trainings.
- A **difference** of two rows is d[i, s], paired by image and seed. Its effect is the mean of all d.
- The **interval of a difference** draws images and, independently of them, seeds (Owen, 2007, "The pigeonhole
  bootstrap"), so that it says how the difference may come out on other images and for other trainings. S - 1 of S seeds
  are drawn (McCarthy and Snowden, 1985): drawing S would understate the variance over three seeds by a third. One seed
  says nothing about other trainings; then only images are drawn.
- Percentiles are widened for few images, as Student's t is wider than the normal distribution (Hesterberg, 2015, "What
  teachers should know about the bootstrap"): 2.5 % becomes Phi(-sqrt(N / (N - 1)) t(0.975, N - 1)), 1.3 % for 15
  images.
- The **test of a difference** is Wilcoxon's signed-rank test, two-sided, on the N differences of images, each averaged
  over seeds: differences of one image under several seeds are not independent, so an image is the unit. Differences of
  zero are dropped, tied ones share their mean rank. The test takes the trained networks as they are; only the interval
  accounts for other seeds, so a difference is significant (`reports.comparisons.Comparison.sign`) where both agree.
- **Holm's correction** bounds the chance of any false rejection in a family of tests; the caller names the family.

Resamples are drawn from a fixed seed. They are applied to the sorted values and to the same in reverse, so that results
do not depend on the order of images, and swapping two rows changes signs and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.95
RESAMPLES = 10_000

_SEED = 2023
_BLOCK = 1 << 20  # weights at once: 8 MiB, however many images there are
_EXACT = 50  # differences; more, and the normal approximation is as good
_DIGITS = 12  # differences below are rounding: means of the same figures in another order


class Interval(NamedTuple):
    """Both ends of a 95 % interval; NaN where it is not known."""

    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """A mean difference with its interval and its test.

    Attributes:
        effect: mean over images and seeds.
        interval: interval of the effect, over images and seeds.
        p: p value of the two-sided Wilcoxon signed-rank test over images.
        rank_biserial: effect size of the test, the sum of its signed ranks over the sum of all ranks; from -1 (every
            image is below 0) to 1 (every image is above).
    """

    effect: float
    interval: Interval
    p: float
    rank_biserial: float


def mean_interval(values: ArrayLike) -> Interval:
    """Bootstrap the 95 % interval of a mean over images.

    Args:
        values: (N,), one for each image, already averaged over seeds.

    Returns:
        Both ends; NaN for a single image, which says nothing about others.
    """
    return _interval(_finite(values, 1)[:, None], draw_seeds=False)


def paired_difference(differences: ArrayLike) -> PairedDifference:
    """Estimate the mean difference of two rows, with its interval and its test.

    Args:
        differences: (N, S), one for each image and seed.

    Returns:
        For one image the interval is NaN and p is 1; where all differences are zero, the interval is [0, 0] and p
        is 1.
    """
    array = _finite(differences, 2)
    p, rank_biserial = signed_rank(array.mean(axis=1))
    return PairedDifference(float(array.mean()), _interval(array, draw_seeds=array.shape[1] > 1), p, rank_biserial)


def crossed_interval(values: ArrayLike) -> Interval:
    """Bootstrap the 95 % interval of a mean over images and seeds, as that of a difference.

    Args:
        values: (N, S), one for each image and seed.

    Returns:
        Both ends; NaN for a single image.
    """
    array = _finite(values, 2)
    return _interval(array, draw_seeds=array.shape[1] > 1)


def interval_over_sets(sets: Sequence[ArrayLike]) -> Interval:
    """Bootstrap the 95 % interval of the mean of several data sets' means, each drawn on its own.

    It is about other images and other trainings on these data sets, not about other data sets.

    Args:
        sets: (N, S) of each data set, one for each image and seed; N and S may differ.

    Returns:
        Both ends; NaN where a set has a single image.
    """
    arrays = [_finite(values, 2) for values in sets]
    if len(arrays) == 1 or min(len(array) for array in arrays) == 1:
        return crossed_interval(arrays[0]) if len(arrays) == 1 else Interval(math.nan, math.nan)
    total = np.zeros(2 * (RESAMPLES // 2))
    for place, array in enumerate(arrays):
        means = _resampled_means(array, draw_seeds=array.shape[1] > 1)
        # Sets of the same size draw the same weights: shuffled, their draws are independent.
        total += np.random.default_rng([_SEED, place]).permutation(means)
    return _percentiles(total / len(arrays), min(len(array) for array in arrays))


def interval_over_images(statistic: Callable[[np.ndarray], np.ndarray], images: int) -> Interval:
    """Bootstrap the 95 % interval of anything that weights of images determine: percentiles over draws of images.

    Args:
        statistic: from weights (R, N), rows of which add up to 1, to its values (R,).
        images: N.

    Returns:
        Both ends; NaN for a single image.
    """
    if images == 1:
        return Interval(math.nan, math.nan)
    values = [statistic(part) for weights in _image_weights(images) for part in (weights, weights[:, ::-1])]
    return _percentiles(_finite(np.concatenate(values), 1), images)


def signed_rank(differences: ArrayLike) -> tuple[float, float]:
    """Compute the two-sided p of Wilcoxon's signed-rank test, and the rank-biserial correlation.

    p is exact for up to 50 differences, with ties or without; for more it is SciPy's normal approximation.

    Args:
        differences: (N,), one for each image; those that are zero to 12 digits are dropped.

    Returns:
        1 and 0 where no difference is left.
    """
    rounded = np.round(_finite(differences, 1), _DIGITS)
    nonzero = rounded[rounded != 0]
    if not len(nonzero):
        return 1.0, 0.0
    ranks = stats.rankdata(np.abs(nonzero))
    p = _exact_p(ranks, nonzero > 0) if len(nonzero) <= _EXACT else stats.wilcoxon(nonzero).pvalue
    return float(p), float((ranks * np.sign(nonzero)).sum() / ranks.sum())


def _exact_p(ranks: np.ndarray, positive: np.ndarray) -> float:
    """Compute the two-sided p of the sum of positive ranks, both signs being equally likely.

    The method is that of Streitberg and Roehmel (1986). SciPy goes through all signs where ranks are tied, which takes
    half a second for 13 images.
    """
    ways = ways_of_rank_sums(ranks)
    observed = _halves(ranks)[positive].sum()
    smaller = min(observed, len(ways) - 1 - observed)
    return min(1.0, float(2 * ways[: smaller + 1].sum() / ways.sum()))


def ways_of_rank_sums(ranks: np.ndarray) -> np.ndarray:
    """Count, for each sum of positive ranks in steps of one half, how many of the 2^N signs of N ranks give it."""
    halves = _halves(ranks)
    ways = np.zeros(halves.sum() + 1)
    ways[0] = 1
    for rank in halves:
        ways[rank:] += ways[: len(ways) - rank].copy()
    return ways


def _halves(ranks: np.ndarray) -> np.ndarray:
    """Ranks as whole numbers of halves: tied ranks may end on one."""
    return np.rint(2 * ranks).astype(int)


def least_p(images: int) -> float:
    """Return the smallest p that the test can give for so many images: that of differences of one sign."""
    return min(1.0, 2.0 ** (1 - images))


def holm(p_values: ArrayLike) -> np.ndarray:
    """Correct the p values of one family by Holm (1979), in the order given.

    The k-th smallest of m is multiplied by m - k + 1; none may fall below one that was smaller, or rise above 1.
    """
    p = _finite(p_values, 1, allow_empty=True)
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * factors))
    return corrected


def _finite(values: ArrayLike, dimensions: int, *, allow_empty: bool = False) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim != dimensions or not (array.size or allow_empty) or not np.isfinite(array).all():
        raise ValueError(f"expected finite numbers in {dimensions} dimension(s), got shape {array.shape}")
    return array


def _interval(array: np.ndarray, *, draw_seeds: bool) -> Interval:
    """Bootstrap the mean of (N, S): rows are drawn, and with `draw_seeds` columns too."""
    images = len(array)
    if images == 1:
        return Interval(math.nan, math.nan)
    return _percentiles(_resampled_means(array, draw_seeds=draw_seeds), images)


def _resampled_means(array: np.ndarray, *, draw_seeds: bool) -> np.ndarray:
    """Draw the mean of (N, S) again and again: (RESAMPLES,)."""
    images, seeds = array.shape
    ordered = array[np.lexsort(array.T[::-1])]
    means = []
    for block, weights in enumerate(_image_weights(images)):
        over_seeds = _seed_weights(images, block, len(weights), seeds) if draw_seeds else 1 / seeds
        means += [((weights @ part) * over_seeds).sum(axis=1) for part in (ordered, ordered[::-1])]
    return np.concatenate(means)


def _percentiles(means: np.ndarray, images: int) -> Interval:
    tail = interval_tail(images)
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def interval_tail(images: int) -> float:
    """Return the share of resamples below an interval of at least two images."""
    upper = 1 - (1 - LEVEL) / 2
    return float(stats.norm.cdf(-math.sqrt(images / (images - 1)) * stats.t.ppf(upper, images - 1)))


def _image_weights(images: int) -> Iterator[np.ndarray]:
    """Yield (R, N) weights in blocks, a row for each of RESAMPLES / 2 resamples: how often images are drawn, over N."""
    resamples = RESAMPLES // 2  # each is used twice
    rows = max(1, min(resamples, _BLOCK // images))
    for block, start in enumerate(range(0, resamples, rows)):
        yield _image_block(images, block, min(rows, resamples - start))


@lru_cache(maxsize=4)
def _image_block(images: int, block: int, rows: int) -> np.ndarray:
    drawn = np.random.default_rng([_SEED, images, block]).integers(images, size=(rows, images))
    cells = drawn + images * np.arange(rows)[:, None]
    weights = np.bincount(cells.ravel(), minlength=rows * images).reshape(rows, images) / images
    weights.flags.writeable = False  # it is kept for the next row of the table
    return weights


@lru_cache(maxsize=4)
def _seed_weights(images: int, block: int, rows: int, seeds: int) -> np.ndarray:
    """Draw weights (R, S): how often each seed is drawn, over the S - 1 draws."""
    rng = np.random.default_rng([_SEED, images, block, seeds])
    return rng.multinomial(seeds - 1, np.full(seeds, 1 / seeds), size=rows) / (seeds - 1)
