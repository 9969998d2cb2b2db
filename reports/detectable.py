"""The smallest difference that a comparison could have found, from the scatter of what was measured.

A difference of two rows, d[i, s] for images i = 1..N and seeds s = 1..S, is taken to be an effect plus an image's own
part, a seed's own part and a rest, independent and normal. Their variances are estimated by the analysis of variance of
two crossed random factors without replication (Searle, Casella and McCulloch, "Variance components", 1992); one that
comes out negative is 0.

Experiments without an effect are then drawn with these variances. In each, the least effect that would have made it
significant is known at once, for the interval of `reports.statistics` moves with an effect, and so do the averages of
pairs of images that decide the signed-rank test: the larger of what either asks for is what the experiment needs. The
**smallest detectable difference** is what four in five of them do not exceed: a difference of that size is found with
80 % power. It follows from the scatter and not from the effect that was observed, so it is no "observed power", which
would say the p value in other words (Hoenig and Heisey, 2001).

The bootstrap of images is replaced by its normal limit, and so is that of more than four seeds; that of fewer is
carried out in full. More than 40 images stand for 40 groups of images, whose means scatter less. With one seed nothing
is known of other trainings, and the difference is that of the networks at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from reports.statistics import interval_tail, least_p, ways_of_rank_sums

POWER = 0.8
DRAWS = 800
MOST_SEEDS = 32
MOST_IMAGES = 100_000

Aim = Literal["difference", "margin", "no gain"]
"""What is to be found: that there is a difference, that it lies within ± a margin, or that it lies below it."""

_SEED = 1992
_GROUPS = 40
_FEW_SEEDS = 4
_FEW_IMAGES = 20


@dataclass(frozen=True)
class Scatter:
    """Standard deviations of a difference's parts, in the metric's unit; `seed` and `rest` are 0 for one seed."""

    image: float
    seed: float
    rest: float


def scatter(differences: ArrayLike) -> Scatter:
    """Estimate the parts' standard deviations from differences (N, S); all are 0 for one image."""
    array = np.asarray(differences, float)
    images, seeds = array.shape
    if images == 1:
        return Scatter(0.0, 0.0, 0.0)
    of_images, of_seeds = array.mean(axis=1), array.mean(axis=0)
    if seeds == 1:
        return Scatter(float(of_images.std(ddof=1)), 0.0, 0.0)
    rest = array - of_images[:, None] - of_seeds + array.mean()
    residual = float((rest**2).sum() / ((images - 1) * (seeds - 1)))
    image = of_images.var(ddof=1) - residual / seeds
    seed = of_seeds.var(ddof=1) - residual / images
    return Scatter(math.sqrt(max(image, 0.0)), math.sqrt(max(seed, 0.0)), math.sqrt(residual))


@lru_cache(maxsize=4096)  # every report of a table asks for the same
def smallest(parts: Scatter, images: int, seeds: int, alpha: float, aim: Aim = "difference") -> float:
    """Return the smallest effect, or the smallest margin around no effect, that is found with 80 % power.

    Args:
        images, seeds: of the experiment.
        alpha: what p has to be below, after correction for the size of the family: 0.05 over its comparisons.

    Returns:
        At least 0, in the unit of the scatter; infinite where so few images cannot be significant, whatever the effect.
    """
    if images == 1 or (aim == "difference" and least_p(images) >= alpha):
        return math.inf
    if not any((parts.image, parts.seed, parts.rest)):
        return 0.0
    means, low, high = _experiments(parts, images, seeds)
    # Every experiment counts twice, as it is and with all signs turned.
    if aim == "margin":
        needed = np.maximum(-low, high)
    elif aim == "no gain":
        needed = np.concatenate([high, -low])
    else:
        below, above = _rank_bounds(means, alpha)
        needed = np.concatenate([np.maximum(-low, -below), np.maximum(high, above)])
    return max(0.0, float(np.quantile(needed, POWER)))


def seeds_needed(parts: Scatter, images: int, alpha: float, effect: float, aim: Aim = "difference") -> int | None:
    """Return how many seeds find an effect with 80 % power, at least 2; None where 32 do not."""
    return _least(lambda seeds: smallest(parts, images, seeds, alpha, aim) <= effect, 2, MOST_SEEDS)


def images_needed(parts: Scatter, seeds: int, alpha: float, effect: float, aim: Aim = "difference") -> int | None:
    """Return how many images find an effect with 80 % power, to 5 %, at least 2; None where 100 000 do not."""
    return _least(lambda images: smallest(parts, images, seeds, alpha, aim) <= effect, 2, MOST_IMAGES)


def _least(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The least number that is enough, to 5 %, if the highest is; where one is enough, so is every higher one."""
    if not enough(high):
        return None
    if enough(low):
        return low
    while high - low > 1 and high > 1.05 * low:
        middle = round(math.sqrt(low * high))
        middle = min(max(middle, low + 1), high - 1)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _experiments(parts: Scatter, images: int, seeds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw experiments without an effect: the images' means (D, N), the lower and upper ends of intervals (D,)."""
    groups = min(images, _GROUPS)
    shrink = math.sqrt(groups / images)
    image, rest = parts.image * shrink, parts.rest * shrink
    drawn = _draws(groups, seeds)
    of_images = image * drawn.of_image + rest * drawn.rest_of_images
    of_seeds = image * drawn.of_image.mean(axis=1)[:, None] + parts.seed * drawn.of_seed + rest * drawn.rest_of_seeds
    covariances = image**2 * drawn.image_image + image * rest * drawn.image_rest + rest**2 * drawn.rest_rest
    low, high = _interval_ends(of_seeds, covariances, interval_tail(images))
    return of_images + parts.seed * drawn.of_seed.mean(axis=1)[:, None], low, high


@dataclass(frozen=True)
class _Draws:
    """The parts of D experiments of N groups of images and S seeds, each with a standard deviation of 1.

    Scatter only weighs them, and the covariances of seeds are quadratic in its weights: three sums of products serve
    every scatter.

    Attributes:
        of_image, of_seed: (D, N) and (D, S).
        rest_of_images, rest_of_seeds: means of the rest (D, N, S), over seeds and over images.
        image_image, image_rest, rest_rest: what the covariances under the drawing of images are made of, (D, 1, 1),
            (D, S, S) and (D, S, S).
    """

    of_image: np.ndarray
    of_seed: np.ndarray
    rest_of_images: np.ndarray
    rest_of_seeds: np.ndarray
    image_image: np.ndarray
    image_rest: np.ndarray
    rest_rest: np.ndarray


@lru_cache(maxsize=64)  # numbers of seeds times numbers of images that a report has; 6 MB for each of 32 seeds
def _draws(groups: int, seeds: int) -> _Draws:
    """Draw the parts; with one seed, that of seeds and the rest are 0."""
    rng = np.random.default_rng([_SEED, groups, seeds])
    of_image = rng.standard_normal((DRAWS, groups))
    if seeds == 1:
        of_seed, rest = np.zeros((DRAWS, 1)), np.zeros((DRAWS, groups, 1))
    else:
        of_seed, rest = rng.standard_normal((DRAWS, seeds)), rng.standard_normal((DRAWS, groups, seeds))
    image = of_image - of_image.mean(axis=1)[:, None]
    apart = rest - rest.mean(axis=1)[:, None]
    both = np.einsum("dn,dns->ds", image, apart)
    return _Draws(
        of_image=of_image,
        of_seed=of_seed,
        rest_of_images=rest.mean(axis=2),
        rest_of_seeds=rest.mean(axis=1),
        image_image=(image**2).sum(axis=1)[:, None, None] / groups**2,
        image_rest=(both[:, :, None] + both[:, None, :]) / groups**2,
        rest_rest=apart.swapaxes(1, 2) @ apart / groups**2,
    )


def _interval_ends(means: np.ndarray, covariances: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of bootstrap intervals over images and seeds, (D,).

    Args:
        means: (D, S) of each seed over images.
        covariances: (D, S, S) of these means, under the drawing of images.
        tail: share of resamples below and above.
    """
    seeds = means.shape[1]
    if seeds > _FEW_SEEDS:
        of_draw = (np.eye(seeds) / seeds - 1 / seeds**2) / (seeds - 1)  # covariance of the seeds' weights
        variances = covariances.mean(axis=(1, 2)) + np.einsum("dst,ts->d", covariances, of_draw)
        width = stats.norm.isf(tail) * np.sqrt(variances + means.var(axis=1) / (seeds - 1))
        return means.mean(axis=1) - width, means.mean(axis=1) + width
    shares, weights = _seed_draws(seeds)
    centres = means @ weights.T  # for each way of drawing seeds
    spreads = np.sqrt(((weights @ covariances) * weights).sum(axis=2).clip(0))
    return _quantile(centres, spreads, shares, tail), -_quantile(-centres, spreads, shares, tail)


@lru_cache(maxsize=_FEW_SEEDS)
def _seed_draws(seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """The ways of drawing S - 1 of S seeds: their probabilities (K,) and the seeds' weights (K, S)."""
    if seeds == 1:
        return np.ones(1), np.ones((1, 1))
    counts = np.array(
        [np.bincount(one, minlength=seeds) for one in combinations_with_replacement(range(seeds), seeds - 1)]
    )
    return stats.multinomial.pmf(counts, seeds - 1, np.full(seeds, 1 / seeds)), counts / (seeds - 1)


def _quantile(centres: np.ndarray, spreads: np.ndarray, shares: np.ndarray, tail: float) -> np.ndarray:
    """Quantiles (D,) of mixtures of normal distributions, centres and spreads (D, K), by bisection."""
    spreads = np.maximum(spreads, np.finfo(float).tiny)
    low, high = (centres - 9 * spreads).min(axis=1), (centres + 9 * spreads).max(axis=1)
    for _ in range(18):  # to a ten-thousandth of a standard error
        middle = (low + high) / 2
        below = special.ndtr((middle[:, None] - centres) / spreads) @ shares < tail
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _rank_bounds(means: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """For each experiment (D, N), the averages of pairs that have to lie above 0, or below it, for p < alpha.

    The sum of positive ranks is the number of positive averages of two images, an image with itself included (Tukey,
    1949). Of more than 20 images these averages are taken to lie as those of a t test, wider by its relative
    efficiency under normality, 3 / π.
    """
    count = means.shape[1]
    if count > _FEW_IMAGES:
        centre = means.mean(axis=1)
        width = stats.t.isf(alpha / 2, count - 1) * np.sqrt(means.var(axis=1, ddof=1) / count * math.pi / 3)
        return centre - width, centre + width
    first, second = np.triu_indices(count)
    averages = (means[:, first] + means[:, second]) / 2
    place = len(first) - _critical(count, alpha)
    if place < 0:
        return np.full(len(means), -math.inf), np.full(len(means), math.inf)
    other = len(first) - 1 - place
    ordered = np.partition(averages, (place, other), axis=1)
    return ordered[:, place], ordered[:, other]


@lru_cache(maxsize=256)
def _critical(count: int, alpha: float) -> int:
    """The least sum of positive ranks of so many differences without ties whose exact two-sided p is below alpha."""
    ways = ways_of_rank_sums(np.arange(1.0, count + 1))[::2]  # of whole ranks, every other half is none
    p = np.minimum(1, 2 * np.cumsum(ways[::-1])[::-1] / ways.sum())
    return int(np.argmax(p < alpha)) if (p < alpha).any() else len(ways)
