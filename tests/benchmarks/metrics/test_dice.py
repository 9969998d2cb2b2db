from __future__ import annotations

import numpy as np
import pytest
import slow_metrics
from hypothesis import given
from label_maps import pairs, row

from benchmarks.metrics import contingency_table, image_metrics
from benchmarks.metrics.dice import dice_zero_if_empty, symmetric_best_dice_max


def test_dice_ignores_instances():
    # Foregrounds 6 and 4 px, 4 shared, whatever the ids: 2 · 4 / 10.
    metrics = image_metrics(row((1, 3), (2, 3), (0, 2)), row((0, 2), (5, 4), (0, 2)))
    assert metrics["dice"] == 0.8


def test_symmetric_best_dice_is_the_lower_direction():
    # One truth of 10 px; predictions of 8 px inside it and of 2 px outside.
    metrics = image_metrics(row((1, 10), (0, 2)), row((7, 8), (0, 2), (9, 2)))
    # Truth: 2·8/18. Predictions: (2·8/18 + 0) / 2. The challenge of before 2021 would have said 8/9.
    assert metrics["sbd"] == 8 / 9 / 2


def test_symmetric_best_dice_does_not_divide_by_the_highest_id():
    assert image_metrics(row((250, 4), (0, 1)), row((9, 4), (0, 1)))["sbd"] == 1


def test_the_higher_direction_is_that_of_before_late_2021():
    table = contingency_table(row((1, 10), (0, 2)), row((7, 8), (0, 2), (9, 2)))
    assert symmetric_best_dice_max(table) == 8 / 9


@given(pairs())
def test_literal_loops_agree(maps: tuple[np.ndarray, np.ndarray]):
    table = contingency_table(*maps)
    assert symmetric_best_dice_max(table) == pytest.approx(slow_metrics.sbd_max(*maps))
    assert dice_zero_if_empty(table) == pytest.approx(slow_metrics.dice_zero_if_empty(*maps))


@pytest.mark.parametrize(
    ("truth", "prediction", "both", "zero"), [(0, 0, 1, 0), (3, 0, 0, 0), (0, 3, 0, 0), (3, 3, 1, 1)]
)
def test_empty_maps(truth: int, prediction: int, both: int, zero: int):
    table = contingency_table(row((truth, 4)), row((prediction, 4)))
    assert symmetric_best_dice_max(table) == both
    assert dice_zero_if_empty(table) == zero
