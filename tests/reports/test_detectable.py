"""The smallest detectable difference: found in four of five experiments by the very comparison that reports make."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.plan.tables import RowSpec
from benchmarks.store.result import SCHEMA, Cost, DatasetFacts, Result
from reports.collect import RowResults
from reports.comparisons import compare, corrected
from reports.detectable import (
    Aim,
    Scatter,
    _interval_ends,
    _rank_bounds,
    images_needed,
    scatter,
    seeds_needed,
    smallest,
)
from reports.statistics import interval_tail, least_p, paired_difference, signed_rank

PARTS = Scatter(0.02, 0.004, 0.01)


def experiment(rng: np.random.Generator, parts: Scatter, images: int, seeds: int, effect: float) -> np.ndarray:
    own = effect + parts.image * rng.normal(size=(images, 1)) + parts.seed * rng.normal(size=(1, seeds))
    return own + parts.rest * rng.normal(size=(images, seeds))


def row(label: str, scores: np.ndarray) -> RowResults:
    """A trained row whose PQ of image i under seed s is scores[i, s]."""
    facts = DatasetFacts(spec="folder:/nowhere", split="test", images=len(scores), instances=0)
    fields: dict[str, Any] = {"version": SCHEMA, "key": "key", "dataset": facts, "environment": {}, "metrics": {}}
    results = tuple(
        Result(
            **fields,
            job={"seed": seed},
            cost=Cost(iterations=1, train_seconds=1.0),
            images=[{"id": f"{index:04}", "pq": float(score)} for index, score in enumerate(scores[:, seed])],
        )
        for seed in range(scores.shape[1])
    )
    return RowResults(1, RowSpec(label=label), "trained", "pctrans", {}, results, ())


def share_found(parts: Scatter, images: int, seeds: int, effect: float, *, family: int, draws: int, seed: int) -> float:
    """How often `Comparison.sign` says that a row is better by an effect, the rest of its family being equal rows."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(0.4, 0.7, (images, 1)) + np.zeros((1, seeds))
    found = 0
    for _ in range(draws):
        one = compare(row("a", base + experiment(rng, parts, images, seeds, effect)), row("b", base), "pq")
        found += corrected([one, *[replace(one, p=1.0)] * (family - 1)])[0].sign == 1
    return found / draws


def test_a_difference_of_that_size_is_found_in_four_of_five_experiments() -> None:
    effect = smallest(PARTS, 50, 3, 0.05)
    assert share_found(PARTS, 50, 3, effect, family=1, draws=600, seed=1) == pytest.approx(0.8, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "images", "seeds", "family"),
    [
        (PARTS, 50, 3, 28),
        (PARTS, 15, 3, 1),
        (Scatter(0.02, 0.02, 0.01), 15, 3, 7),  # seeds scatter as much as images
        (Scatter(0.03, 0.0, 0.01), 50, 3, 7),
        (Scatter(0.03, 0.02, 0.01), 50, 2, 1),
        (Scatter(0.02, 0.01, 0.01), 30, 8, 5),
        (PARTS, 200, 5, 1),
    ],
)
def test_four_of_five_whatever_scatters(parts: Scatter, images: int, seeds: int, family: int) -> None:
    """1500 draws have a standard error of 0.01."""
    effect = smallest(parts, images, seeds, 0.05 / family)
    found = share_found(parts, images, seeds, effect, family=family, draws=1500, seed=images)
    assert found == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("aim", "beyond"), [("margin", (True, True)), ("no gain", (False, True))])
def test_rows_that_are_alike_are_within_that_margin_in_four_of_five(aim: Aim, beyond: tuple[bool, bool]) -> None:
    margin = smallest(PARTS, 30, 3, 0.05, aim)
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(300):
        low, high = paired_difference(experiment(rng, PARTS, 30, 3, 0.0)).interval
        inside += (not beyond[0] or -margin < low) and high < margin
    assert inside / 300 == pytest.approx(0.8, abs=0.05)


def test_one_seed_is_about_the_networks_at_hand() -> None:
    """Only images scatter: the effect is that of a one-sample t test, about 0.02 (t(0.975, 49) + z(0.8)) / √50."""
    effect = smallest(Scatter(0.02, 0.0, 0.0), 50, 1, 0.05)
    assert effect == pytest.approx(0.02 * (2.0096 + 0.8416) / math.sqrt(50), rel=0.06)


def test_the_scatter_is_recovered() -> None:
    """Estimates of variances are right on average: over 400 tables, their means are the true ones within 5 %."""
    rng = np.random.default_rng(0)
    true = Scatter(0.03, 0.02, 0.01)
    found = [scatter(experiment(rng, true, 12, 4, 0.1)) for _ in range(400)]
    for part in ("image", "seed", "rest"):
        assert np.mean([getattr(one, part) ** 2 for one in found]) == pytest.approx(getattr(true, part) ** 2, rel=0.1)


def test_scatter_by_hand() -> None:
    """Images differ by 2, seeds by 4, nothing else: variances of the two means are 2 and 8."""
    assert scatter([[0.0, 4.0], [2.0, 6.0]]) == Scatter(pytest.approx(2**0.5), pytest.approx(8**0.5), 0.0)  # type: ignore[arg-type]
    assert scatter([[1.0], [3.0]]) == Scatter(pytest.approx(2**0.5), 0.0, 0.0)  # type: ignore[arg-type]
    assert scatter([[0.1, 0.7]]) == Scatter(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("images", "seeds"), [(12, 1), (12, 3), (25, 2), (30, 4), (30, 6)])
def test_the_interval_of_an_experiment_is_nearly_that_of_the_reports(images: int, seeds: int) -> None:
    values = experiment(np.random.default_rng(images), PARTS, images, seeds, 0.0)
    means, apart = values.mean(axis=0), values - values.mean(axis=0)
    ends = _interval_ends(means[None], (apart.T @ apart / images**2)[None], interval_tail(images))
    expected = paired_difference(values).interval
    width = expected.high - expected.low
    assert [float(end[0]) for end in ends] == pytest.approx(list(expected), abs=0.05 * width)


@pytest.mark.parametrize(("images", "alpha"), [(6, 0.05), (12, 0.05), (12, 0.01), (20, 0.05 / 7), (20, 0.05)])
def test_a_hair_beyond_the_bound_the_ranks_are_significant(images: int, alpha: float) -> None:
    """By the test of the reports; a hair before it they are not."""
    values = np.random.default_rng(images).normal(size=images)
    below, above = (float(bound[0]) for bound in _rank_bounds(values[None], alpha))
    for bound, away in ((below, 1e-9), (above, -1e-9)):
        assert signed_rank(values - bound + away)[0] < alpha
        assert signed_rank(values - bound - away)[0] >= alpha


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 28])
def test_of_many_images_the_bound_is_nearly_that_of_the_ranks(alpha: float) -> None:
    """The average of pairs that the signed-rank test asks for, over 50 experiments, to 2 % of the interval's width."""
    rng = np.random.default_rng(8)
    found, expected = [], []
    for _ in range(50):
        values = rng.normal(size=40)
        averages = np.sort([(a + b) / 2 for index, a in enumerate(values) for b in values[: index + 1]])
        low, high = 0, len(averages) - 1  # the significant ones come first
        while high - low > 1:
            middle = (low + high) // 2
            significant = signed_rank(values - averages[middle] + 1e-9)[0] < alpha
            low, high = (middle, high) if significant else (low, middle)
        expected.append(averages[low])
        found.append(float(_rank_bounds(values[None], alpha)[0][0]))
    assert np.mean(found) == pytest.approx(np.mean(expected), abs=0.02)


def test_few_images_find_nothing_however_large() -> None:
    assert least_p(5) > 0.05 > least_p(6)
    assert math.isinf(smallest(PARTS, 5, 3, 0.05))
    assert math.isinf(smallest(PARTS, 1, 3, 0.05))
    assert math.isfinite(smallest(PARTS, 6, 3, 0.05))
    assert math.isfinite(smallest(PARTS, 5, 3, 0.05, "margin"))
    assert math.isinf(smallest(PARTS, 6, 3, 0.05 / 2))


def test_it_scales_with_the_scatter_and_shrinks_with_seeds_and_images() -> None:
    double = Scatter(2 * PARTS.image, 2 * PARTS.seed, 2 * PARTS.rest)
    assert smallest(double, 50, 3, 0.05) == pytest.approx(2 * smallest(PARTS, 50, 3, 0.05))
    by_seeds = [smallest(PARTS, 50, seeds, 0.05) for seeds in (2, 3, 5, 10, 30)]
    by_images = [smallest(PARTS, images, 3, 0.05) for images in (10, 20, 50, 200)]
    for values in (by_seeds, by_images):
        assert values == sorted(values, reverse=True)
    assert smallest(PARTS, 50, 3, 0.05 / 28) > smallest(PARTS, 50, 3, 0.05)
    assert smallest(Scatter(0.0, 0.0, 0.0), 50, 3, 0.05) == 0


@pytest.mark.parametrize("effect", [0.009, 0.012, 0.02])
def test_what_is_needed_is_the_least_that_finds_it(effect: float) -> None:
    seeds, images = seeds_needed(PARTS, 80, 0.05, effect), images_needed(PARTS, 3, 0.05, effect)
    assert seeds is not None and images is not None
    assert smallest(PARTS, 80, seeds, 0.05) <= effect and smallest(PARTS, images, 3, 0.05) <= effect
    assert seeds == 2 or smallest(PARTS, 80, seeds - 1, 0.05) > effect
    assert smallest(PARTS, math.floor(0.93 * images), 3, 0.05) > effect


def test_what_no_number_of_seeds_or_images_finds() -> None:
    assert seeds_needed(PARTS, 10, 0.05, 0.001) is None  # these images scatter too much
    assert images_needed(PARTS, 3, 0.05, 0.001) is None  # these seeds do


def test_a_comparison_says_what_it_can_find() -> None:
    rng = np.random.default_rng(5)
    base = np.full((20, 3), 0.5)
    one = compare(row("a", base + experiment(rng, PARTS, 20, 3, 0.0)), row("b", base), "pq")
    alone, among = corrected([one])[0], corrected([one, one, one])[0]
    assert alone.detectable == smallest(one.parts, 20, 3, 0.05)
    assert among.detectable == smallest(one.parts, 20, 3, 0.05 / 3) > alone.detectable
