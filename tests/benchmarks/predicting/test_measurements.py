from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.predicting.measurements import measurement_columns, object_measurements


def test_a_rectangle_by_hand():
    labels = np.zeros((20, 30), np.uint32)
    labels[5:9, 10:22] = 70_000  # 4 rows, 12 columns
    image = np.zeros((20, 30), np.float32)
    image[5:9, 10:22] = np.arange(12)
    (row,) = object_measurements(labels, image)
    assert [*row] == measurement_columns(intensity=True)
    assert row["label"] == 70_000
    assert (row["centroid_x"], row["centroid_y"]) == (15.5, 6.5)
    assert (row["bbox_left"], row["bbox_top"], row["bbox_right"], row["bbox_bottom"]) == (10, 5, 22, 9)
    assert row["area"] == 48
    assert row["equivalent_diameter"] == pytest.approx(math.sqrt(4 * 48 / math.pi))
    # n pixels in a row have the variance (n² - 1) / 12; an ellipse of that variance has the axis 4σ.
    assert row["major_axis"] == pytest.approx(4 * math.sqrt(143 / 12))
    assert row["minor_axis"] == pytest.approx(4 * math.sqrt(15 / 12))
    assert row["eccentricity"] == pytest.approx(math.sqrt(1 - 15 / 143))
    assert row["perimeter"] == 2 * (3 + 11)  # through the centres of the outermost pixels
    assert row["solidity"] == 1
    assert (row["mean_intensity"], row["min_intensity"], row["max_intensity"]) == (5.5, 0, 11)


def test_gaps_and_huge_ids_give_one_row_each_in_order():
    labels = np.array([[0, 5, 5, 0, 2**31, 1, 1]], np.int64)
    rows = object_measurements(labels)
    assert [(row["label"], row["area"], row["centroid_x"]) for row in rows] == [
        (1, 2, 5.5),
        (5, 2, 1.5),
        (2**31, 1, 4.0),
    ]
    assert [*rows[0]] == measurement_columns(intensity=False)


def test_solidity_of_an_l():
    labels = np.zeros((12, 12), int)
    labels[1:11, 1:4] = labels[8:11, 1:11] = 1  # 10×3 and 10×3 less the 3×3 they share: 51 px
    (row,) = object_measurements(labels)
    assert row["area"] == 51
    # The hull adds about the triangle between the two ends, 7 · 7 / 2.
    assert row["solidity"] == pytest.approx(51 / (51 + 49 / 2), rel=0.05)


def test_objects_too_thin_for_a_hull():
    labels = np.zeros((9, 9), int)
    labels[1, 1:8] = 1
    labels[3, 3] = 2
    rows = object_measurements(labels)
    assert [row["solidity"] for row in rows] == [1, 1]
    assert rows[1]["perimeter"] == rows[1]["major_axis"] == 0


def test_intensity_is_the_mean_of_the_channels():
    image = np.stack([np.full((4, 4), value, np.float32) for value in (0.2, 0.4, 0.9)])
    (row,) = object_measurements(np.ones((4, 4), int), image)
    assert row["mean_intensity"] == pytest.approx(0.5)


@pytest.mark.parametrize("shape", [(0, 0), (5, 6)])
def test_no_objects_no_rows(shape: tuple[int, int]):
    assert object_measurements(np.zeros(shape, int), np.zeros((3, *shape))) == []


def test_image_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 5, 5\)"):
        object_measurements(np.ones((4, 4), int), np.zeros((3, 5, 5)))
