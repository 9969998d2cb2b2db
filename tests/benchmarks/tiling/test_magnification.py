"""Images of another magnification: resizing there and back, and estimating the size of objects."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from benchmarks.errors import UserError
from benchmarks.tiling.magnification import (
    checked_diameter,
    estimate_diameter,
    median_diameter,
    resize_labels,
    resized_shape,
    segment_resized,
)

KNOWN = 20.0
"""The diameter of the objects that `Picky` knows."""


def discs(diameter: float, spacing: int, count: int = 3) -> np.ndarray:
    """Bright discs of a diameter on a grid, (3, H, W)."""
    side = spacing * count
    rows, columns = np.indices((side, side))
    away = np.hypot(rows % spacing - spacing / 2 + 0.5, columns % spacing - spacing / 2 + 0.5)
    grey = (away <= diameter / 2).astype(np.float32)
    return np.stack([grey] * 3)


def components(image: np.ndarray) -> np.ndarray:
    return label(image[0] > 0.5).astype(np.int32)


def unscored(image: np.ndarray) -> tuple[np.ndarray, None]:
    return components(image), None


class Picky:
    """Finds bright components whose diameter is not too far from the known one, as a trained model does."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, None]:
        self.shapes.append(image.shape[1:])
        labels = components(image)
        for id in range(1, labels.max() + 1):
            diameter = 2 * math.sqrt((labels == id).sum() / math.pi)
            if not KNOWN / 4 < diameter < KNOWN * 4:
                labels[labels == id] = 0
        return labels, None


def test_the_median_diameter_is_of_circles_of_equal_area() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[0:2, 0:2], labels[4:8, 4:8], labels[10:20, 0:10], labels[0, 19] = 1, 7, 9, -1
    assert median_diameter([labels]) == pytest.approx(2 * math.sqrt(16 / math.pi))
    assert median_diameter([labels, labels[:10]]) == pytest.approx(2 * math.sqrt((4 + 16) / 2 / math.pi), rel=0.3)
    assert median_diameter([np.zeros((4, 4), np.int32)]) is None
    assert median_diameter([]) is None


@pytest.mark.parametrize("diameter", [10.0, 14.0, 40.0, 60.0])
def test_the_model_sees_objects_of_the_size_it_knows_and_labels_come_back(diameter: float) -> None:
    image = discs(diameter, spacing=int(diameter * 1.5))
    seen: list[float | None] = []

    def segment(pixels: np.ndarray) -> tuple[np.ndarray, None]:
        seen.append(median_diameter([components(pixels)]))
        assert pixels.dtype == np.float32 and pixels.min() >= 0 and pixels.max() <= 1
        return components(pixels), None

    labels, _ = segment_resized(segment, image, KNOWN / diameter)
    assert seen == [pytest.approx(KNOWN, rel=0.06)]
    assert labels.shape == image.shape[1:] and labels.dtype == np.int32
    truth = components(image)
    assert labels.max() == truth.max() == 9
    for id in range(1, 10):
        mine = labels == np.bincount(labels[truth == id]).argmax()
        assert (mine & (truth == id)).sum() / (mine | (truth == id)).sum() > 0.85


def test_without_a_change_of_size_nothing_is_resampled() -> None:
    image = np.random.default_rng(0).random((3, 17, 23), np.float32)

    def segment(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert pixels is image
        return np.full((17, 23), 1, np.int32), np.array([0.25])

    labels, scores = segment_resized(segment, image, 1.01)
    assert (labels == 1).all() and scores == [0.25]


def test_an_object_that_vanishes_leaves_no_gap_and_one_that_fills_the_image_stays() -> None:
    def segment(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        labels = np.full(pixels.shape[1:], 2, np.int32)
        labels[1, 1] = 1  # gone when every fourth pixel is taken
        labels[:, 16:] = 3
        return labels, np.array([0.1, 0.2, 0.3])

    labels, scores = segment_resized(segment, np.zeros((3, 8, 8), np.float32), 4.0)
    assert np.array_equal(np.unique(labels), [1, 2])
    assert scores is not None and np.array_equal(scores, [0.2, 0.3])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4), st.integers(0, 10**6))
def test_labels_enlarged_by_whole_numbers_are_repeated_and_come_back(
    height: int, width: int, times: int, seed: int
) -> None:
    labels = np.random.default_rng(seed).integers(0, 9, (height, width)).astype(np.int32)
    large = resize_labels(labels, (height * times, width * times))
    assert np.array_equal(large, labels.repeat(times, 0).repeat(times, 1))
    assert np.array_equal(resize_labels(large, (height, width)), labels)


@pytest.mark.parametrize("diameter", [6.0, 10.0, 20.0, 50.0, 70.0])
def test_a_diameter_is_estimated_from_what_is_found(diameter: float) -> None:
    model = Picky()
    found = estimate_diameter(model, discs(diameter, spacing=int(diameter * 1.6)), KNOWN)
    assert found == pytest.approx(diameter, rel=0.12)
    assert len(model.shapes) <= 4
    first = model.shapes[0]
    assert all(height <= 1.25 * first[0] for height, _ in model.shapes), "but for a last correction"


@pytest.mark.parametrize("diameter", [KNOWN / 1.25, KNOWN * 1.25])
def test_objects_of_about_the_known_size_are_left_as_they_are(diameter: float) -> None:
    model = Picky()
    assert estimate_diameter(model, discs(diameter, spacing=int(diameter * 1.6)), KNOWN) == KNOWN
    assert len(model.shapes) == 1


def test_a_size_at_which_nothing_is_found_is_not_taken() -> None:
    def segment(image: np.ndarray) -> tuple[np.ndarray, None]:
        return np.full(image.shape[1:], int(image.shape[1] == 60), np.int32), None

    assert estimate_diameter(segment, np.zeros((3, 60, 60), np.float32), KNOWN) is None


@pytest.mark.parametrize("diameter", [1, 400])
def test_specks_or_the_ground_are_no_objects_to_judge_a_size_by(diameter: int) -> None:
    image = discs(diameter, spacing=2 * diameter, count=2)
    assert estimate_diameter(unscored, image, KNOWN) is None


def test_nothing_found_is_no_estimate() -> None:
    assert estimate_diameter(Picky(), np.zeros((3, 30, 30), np.float32), KNOWN) is None


@pytest.mark.parametrize("text", ["0", "-3", "nan", "inf", "large", "", "1e9"])
def test_a_diameter_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"--diameter .*expected auto"):
        checked_diameter(text, "--diameter")


def test_diameters_are_read() -> None:
    assert [checked_diameter(text, "x") for text in (None, "auto", "12.5")] == [None, "auto", 12.5]


def test_an_image_that_would_become_too_large_is_refused() -> None:
    with pytest.raises(UserError, match="would become 40000 x 40000"):
        segment_resized(unscored, np.zeros((3, 400, 400), np.float32), 100)
    assert resized_shape((1, 10), 0.01) == (1, 1)
