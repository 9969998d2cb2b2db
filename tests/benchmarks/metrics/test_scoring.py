"""An image's row of figures, and means over images."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics import METRICS, image_metrics
from benchmarks.metrics.scoring import mean_scores, score_image

TRUTH = np.zeros((6, 7), int)
TRUTH[:2, :3], TRUTH[4:, 4:] = 5, 9
PREDICTION = np.zeros_like(TRUTH)
PREDICTION[:2, 1:4] = 2


def test_a_row_has_the_counts_and_every_metric():
    expected = {"truth": 2, "predicted": 1, **image_metrics(TRUTH, PREDICTION)}
    assert score_image(TRUTH, PREDICTION) == expected and list(expected)[2:] == list(METRICS)
    compat = score_image(TRUTH, PREDICTION, compat=True)
    assert compat == {"truth": 2, "predicted": 1, **image_metrics(TRUTH, PREDICTION, compat=True)}
    assert set(compat) - set(expected) == {"aji_pea"}


def test_means_are_of_the_metrics_that_the_rows_hold_and_of_nothing_else():
    rows = [{"id": "a", "truth": 3, "pq": 0.25, "aji_pea": 1.0}, {"id": "b", "truth": 4, "pq": 0.5, "aji_pea": 0.0}]
    assert mean_scores(iter(rows)) == {"pq": 0.375, "aji_pea": 0.5}
    assert mean_scores(rows[:1]) == {"pq": 0.25, "aji_pea": 1.0}


def test_a_mean_is_correctly_rounded_whatever_the_order():
    rows = [{"pq": value} for value in (1e16, 1.0, -1e16)]
    assert mean_scores(rows) == mean_scores(rows[::-1]) == {"pq": pytest.approx(1 / 3)}
