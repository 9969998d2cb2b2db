from __future__ import annotations

from label_maps import row

from benchmarks.metrics import image_metrics


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
