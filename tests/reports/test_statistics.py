"""Statistics against SciPy, literal transcriptions, cases worked by hand, properties and a simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from reports.statistics import PairedDifference, holm, least_p, mean_interval, paired_difference, signed_rank

SCORES = st.integers(-20, 20).map(lambda n: n / 40)  # ties and zeros, as scores of images have
CUBES = st.tuples(st.integers(1, 8), st.integers(1, 3)).flatmap(lambda shape: arrays(float, shape, elements=SCORES))


def tail(images: int) -> float:
    """Compute Hesterberg's widened percentile from tables of t: 2.1448 for 14 degrees of freedom, 2.0096 for 49."""
    t = {15: 2.1448, 50: 2.0096}[images]
    return 0.5 * math.erfc(math.sqrt(images / (images - 1)) * t / math.sqrt(2))


@pytest.mark.parametrize("images", [15, 50])
def test_interval_of_a_mean_is_scipys_percentile_interval(images: int) -> None:
    values = np.random.default_rng(images).beta(5, 2, images)
    expected = stats.bootstrap(
        (values,), np.mean, confidence_level=1 - 2 * tail(images), method="percentile", n_resamples=40_000, rng=1
    ).confidence_interval
    width = expected.high - expected.low
    assert mean_interval(values) == pytest.approx(tuple(expected), abs=0.03 * width)


def test_interval_of_a_difference_by_loops() -> None:
    """The interval follows its definition, resample by resample: 15 images of 15, 2 seeds of 3."""
    differences = _crossed(np.random.default_rng(3), 15, 3)
    rng = np.random.default_rng(4)
    means = []
    for _ in range(20_000):
        images, seeds = rng.integers(15, size=15), rng.integers(3, size=2)
        means.append(differences[images][:, seeds].mean())
    low, high = np.quantile(means, [tail(15), 1 - tail(15)])
    assert paired_difference(differences).interval == pytest.approx((low, high), abs=0.03 * (high - low))


def test_many_images_are_resampled_in_blocks() -> None:
    """1500 images do not fit one block: the interval is still the normal one, mean ± 1.96 standard errors."""
    values = np.random.default_rng(5).normal(size=1500)
    error = values.std() / math.sqrt(1500)
    expected = values.mean() - 1.96 * error, values.mean() + 1.96 * error
    assert mean_interval(values) == pytest.approx(expected, abs=0.1 * error)


def test_one_image_says_nothing() -> None:
    assert all(map(math.isnan, mean_interval([0.5])))
    found = paired_difference([[0.1, 0.3]])
    assert all(map(math.isnan, found.interval))
    assert (found.effect, found.p) == (pytest.approx(0.2), 1)


def test_no_difference_at_all() -> None:
    assert paired_difference(np.zeros((5, 3))) == PairedDifference(0, (0, 0), 1, 0)  # type: ignore[arg-type]


def test_rounding_is_no_difference() -> None:
    assert 0.1 + 0.2 != 0.3
    assert signed_rank([0.1 + 0.2 - 0.3] * 8) == (1, 0)


@pytest.mark.parametrize("values", [[], [[0.1]], [math.nan, 1.0], [math.inf]])
def test_what_is_no_list_of_numbers_is_refused(values: list[float]) -> None:
    for function in (mean_interval, signed_rank):
        with pytest.raises(ValueError, match="expected finite numbers in 1 dimension"):
            function(values)


def test_wilcoxon_by_hand() -> None:
    """|d| = 1, 2, 3 have ranks 1, 2, 3, so W+ = 1 + 3 = 4 of 6.

    Sums of positive ranks of 0, 1, 2, 3, 3, 4, 5, 6 are equally likely: P(W+ >= 4) = 3/8, and the two-sided p is 6/8.
    """
    assert signed_rank([1.0, -2.0, 3.0]) == (0.75, pytest.approx(2 / 6))


@pytest.mark.parametrize("images", [6, 15, 50])
def test_without_ties_p_is_scipys_exact_one(images: int) -> None:
    rng = np.random.default_rng(images)
    for shift in (0.0, 0.3, -1.0):
        values = rng.normal(shift, 1, images)
        assert signed_rank(values)[0] == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)


@settings(max_examples=30, deadline=None)
@given(arrays(float, st.integers(1, 9), elements=SCORES))
def test_p_is_the_share_of_signs_that_are_as_extreme(values: np.ndarray) -> None:
    nonzero = values[values != 0]
    if not len(nonzero):
        return
    ranks = stats.rankdata(np.abs(nonzero))
    observed = (ranks * np.sign(nonzero)).sum()
    sums = [(ranks * signs).sum() for signs in itertools.product((-1, 1), repeat=len(nonzero))]
    p, rank_biserial = signed_rank(values)
    assert p == pytest.approx(np.mean([abs(total) >= abs(observed) - 1e-9 for total in sums]))
    assert rank_biserial == pytest.approx(observed / ranks.sum())


def test_beyond_fifty_differences_p_is_scipys_approximation() -> None:
    values = np.random.default_rng(0).normal(0.2, 1, 60)
    assert signed_rank(values)[0] == stats.wilcoxon(values, method="approx").pvalue


@pytest.mark.parametrize("images", [1, 2, 5, 6, 15])
def test_least_p_is_that_of_equal_signs(images: int) -> None:
    assert least_p(images) == pytest.approx(signed_rank(np.arange(1.0, images + 1))[0])


def test_zero_differences_change_no_p() -> None:
    values = [0.3, -0.1, 0.2, 0.25, 0.05, 0.4]
    assert signed_rank([*values, 0.0, 0.0]) == signed_rank(values)


@settings(max_examples=50, deadline=None)
@given(CUBES)
def test_swapping_rows_changes_signs_and_nothing_else(differences: np.ndarray) -> None:
    found, swapped = paired_difference(differences), paired_difference(-differences)
    assert swapped.effect == pytest.approx(-found.effect)
    assert swapped.interval == pytest.approx((-found.interval.high, -found.interval.low), abs=1e-12, nan_ok=True)
    assert swapped.p == pytest.approx(found.p)
    assert swapped.rank_biserial == pytest.approx(-found.rank_biserial)


@settings(max_examples=50, deadline=None)
@given(CUBES, st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(differences: np.ndarray, random: object) -> None:
    order = list(range(len(differences)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found, shuffled = paired_difference(differences), paired_difference(differences[order])
    assert shuffled.interval == pytest.approx(found.interval, abs=1e-12, nan_ok=True)
    assert (shuffled.effect, shuffled.p) == (pytest.approx(found.effect), pytest.approx(found.p))
    one = differences[:, 0]
    assert mean_interval(one[order]) == pytest.approx(mean_interval(one), abs=1e-12, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(CUBES, SCORES)
def test_a_shift_shifts_the_interval(differences: np.ndarray, shift: float) -> None:
    found, shifted = paired_difference(differences), paired_difference(differences + shift)
    assert shifted.effect == pytest.approx(found.effect + shift)
    assert shifted.interval == pytest.approx(tuple(end + shift for end in found.interval), abs=1e-9, nan_ok=True)


def test_holm_by_hand() -> None:
    """Four p become 0.005 × 4 = 0.02, 0.01 × 3 = 0.03, 0.03 × 2 = 0.06, and 0.04 × 1, which may not fall below 0.06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([]).size == 0
    with pytest.raises(ValueError, match="finite"):
        holm([0.1, math.nan])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values: list[float]) -> None:
    """Reject as Holm (1979) writes: go up from the smallest and stop at the first that is above alpha / (m - k)."""
    alpha = 0.05
    rejected = set()
    for k, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] * (len(p_values) - k) > alpha:
            break
        rejected.add(index)
    assert {index for index, p in enumerate(holm(p_values)) if p <= alpha} == rejected


def test_intervals_cover_what_they_should() -> None:
    """300 experiments have a true mean of 0, for images only and for images and trainings that both scatter.

    With 300, the standard error of a share of 0.95 is 0.013. Percentiles of images alone, without widening and
    without drawing seeds, would cover 0.78 of the second.
    """
    rng = np.random.default_rng(7)
    alone = [_covers_zero(rng.normal(size=(15, 1))) for _ in range(300)]
    crossed = [_covers_zero(_crossed(rng, 50, 3)) for _ in range(300)]
    assert 0.92 <= np.mean(alone) <= 0.98
    assert 0.90 <= np.mean(crossed) <= 0.98


def _covers_zero(differences: np.ndarray) -> bool:
    low, high = paired_difference(differences).interval
    return low <= 0 <= high


def _crossed(rng: np.random.Generator, images: int, seeds: int) -> np.ndarray:
    """Draw differences around 0: an effect of each image, one of each seed, and one of both together."""
    return rng.normal(size=(images, 1)) + 0.3 * rng.normal(size=(1, seeds)) + 0.5 * rng.normal(size=(images, seeds))
