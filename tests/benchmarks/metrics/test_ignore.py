"""Pixels of the truth that are ignored: against a loop over masks, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_metrics import all_metrics

from benchmarks.errors import UserError
from benchmarks.metrics import contingency_table, image_metrics
from benchmarks.metrics.scoring import score_image


def literally_cleaned(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two maps that have to give the same scores without any ignored pixel."""
    ignored = truth == -1
    clean_truth, clean = np.where(ignored, 0, truth), np.where(ignored, 0, prediction)
    for id in set(prediction.ravel().tolist()) - {0}:
        mask, rest = prediction == id, clean == id
        mostly_ignored = (mask & ignored).sum() > mask.sum() / 2
        matches = any(
            (rest & (truth == true)).sum() / (rest | (truth == true)).sum() > 0.5
            for true in set(truth.ravel().tolist()) - {0, -1}
        )
        if mostly_ignored and not matches:
            clean[rest] = 0
    return clean_truth, clean


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.floats(0, 1))
def test_scores_are_those_of_maps_without_what_is_ignored(seed: int, side: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, 5, (side, side)), np.ones((3, 3), int))
    prediction = np.where(rng.random(truth.shape) < 0.7, truth, np.roll(truth, 1, axis=1))
    truth[np.kron(rng.random((side, side)) < share, np.ones((3, 3))) > 0] = -1
    expected = all_metrics(*literally_cleaned(truth, prediction))
    found = image_metrics(truth, prediction, compat=True)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_what_is_ignored_is_neither_missed_nor_spurious() -> None:
    truth = np.zeros((10, 20), np.int32)
    truth[1:5, 1:5] = 1
    truth[:, 10:] = -1
    prediction = np.where(truth > 0, 4, 0)
    prediction[3:7, 12:16] = 9  # in what nobody has judged
    prediction[8:10, 8:13] = 10  # six of its ten pixels there
    scores = score_image(truth, prediction)
    assert (scores["truth"], scores["predicted"], scores["pq"], scores["dic"]) == (1, 1, 1.0, 0.0)
    prediction[8:10, 8:13] = 0
    prediction[8:10, 7:12] = 10  # four of ten: spurious, with the six pixels that are judged
    table = contingency_table(truth, prediction)
    assert table.prediction_areas.tolist() == [16, 6]


def test_a_match_stays_however_much_of_it_is_ignored() -> None:
    truth = np.full((4, 10), -1)
    truth[:, :2] = 3
    assert score_image(truth, np.full((4, 10), 1))["pq"] == 1.0


def test_all_ignored_is_empty_and_predictions_have_no_ignored_pixels() -> None:
    assert score_image(np.full((3, 3), -1), np.eye(3, dtype=int))["pq"] == 1.0
    with pytest.raises(UserError, match="the prediction holds the negative id -1"):
        contingency_table(np.zeros((2, 2), int), np.full((2, 2), -1))
    with pytest.raises(UserError, match="the truth holds the negative id -2"):
        contingency_table(np.full((2, 2), -2), np.zeros((2, 2), int))
