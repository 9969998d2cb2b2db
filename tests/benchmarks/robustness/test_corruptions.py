"""Corruptions against slow loops, and against what their definitions promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.robustness import KINDS, STRENGTHS, corrupt, restore

RNG = np.random.default_rng(0)
GREY = np.repeat(RNG.random((1, 40, 52)), 3, axis=0).astype(np.float32)
COLOUR = RNG.random((3, 40, 52)).astype(np.float32)


def test_strengths_are_those_of_imagenet_c() -> None:
    """Severities of `gaussian_noise`, `gaussian_blur` and `contrast` in make_imagenet_c.py."""
    assert KINDS["noise"].parameters == (0.08, 0.12, 0.18, 0.26, 0.38)
    assert KINDS["blur"].parameters == (1, 2, 3, 4, 6)
    assert KINDS["dark"].parameters == (0.4, 0.3, 0.2, 0.1, 0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strength", STRENGTHS)
def test_images_have_eight_bits_and_are_the_same_each_time(kind: str, strength: int) -> None:
    worse = corrupt(COLOUR, kind, strength, "a")
    levels = worse.astype(float) * 255
    assert worse.dtype == np.float32
    assert 0 <= worse.min() <= worse.max() <= 1
    assert np.abs(levels - np.round(levels)).max() < 1e-4
    assert np.array_equal(worse, corrupt(COLOUR, kind, strength, "a"))


@pytest.mark.parametrize("kind", KINDS)
def test_grey_stays_grey(kind: str) -> None:
    worse = corrupt(GREY, kind, 3, "a")
    assert np.array_equal(worse[0], worse[1])
    assert np.array_equal(worse[0], worse[2])


def test_noise_has_its_deviation_and_differs_by_image_and_strength() -> None:
    flat = np.full((3, 200, 200), 0.5, np.float32)
    for strength, deviation in zip(STRENGTHS[:3], (0.08, 0.12, 0.18), strict=True):
        found = corrupt(flat, "noise", strength, "a") - 0.5
        assert abs(found.mean()) < 0.005
        # What falls outside of [0, 1] is cut off, which 0.18 hardly notices.
        assert found.std() == pytest.approx(deviation, rel=0.03)
    assert not np.array_equal(corrupt(flat, "noise", 1, "a"), corrupt(flat, "noise", 1, "b"))


def test_blur_is_a_sum_over_gaussian_weights() -> None:
    deviation, radius = 1.0, 4
    weights = [math.exp(-(offset**2) / (2 * deviation**2)) for offset in range(-radius, radius + 1)]
    at = (17, 23)
    total = (
        sum(
            weights[dy + radius] * weights[dx + radius] * float(COLOUR[1, at[0] + dy, at[1] + dx])
            for dy in range(-radius, radius + 1)
            for dx in range(-radius, radius + 1)
        )
        / sum(weights) ** 2
    )
    assert corrupt(COLOUR, "blur", 1, "a")[1][at] == pytest.approx(total, abs=0.5 / 255 + 1e-6)


def test_dark_multiplies() -> None:
    worse = corrupt(COLOUR, "dark", 5, "a")
    assert np.abs(worse - 0.05 * COLOUR).max() <= 0.5 / 255 + 1e-6
    assert len(np.unique(worse)) <= 14


@pytest.mark.parametrize(("strength", "size"), [(1, (32, 42)), (3, (20, 26)), (5, (10, 13))])
def test_small_images_have_the_mean_of_large_ones(strength: int, size: tuple[int, int]) -> None:
    worse = corrupt(COLOUR, "small", strength, "a")
    assert worse.shape == (3, *size)
    assert worse.mean() == pytest.approx(COLOUR.mean(), abs=0.02)


def test_labels_come_back_to_their_places() -> None:
    labels = np.array([[1, 2], [3, 4]])
    expected = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])
    assert np.array_equal(restore(labels, (4, 4)), expected)
    assert restore(labels, (5, 3)).shape == (5, 3)
    assert np.array_equal(restore(expected, (4, 4)), expected)
