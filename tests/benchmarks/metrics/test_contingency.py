from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_maps import pairs, row

from benchmarks.errors import UserError
from benchmarks.metrics import contingency_table, relabel


@given(pairs(), st.sampled_from([1, 300, 70_000, 2**40]))
def test_every_pair_holds_the_pixels_that_both_masks_share(maps: tuple[np.ndarray, np.ndarray], spread: int):
    truth, prediction = (np.asarray(m, np.int64) * spread for m in maps)
    table = contingency_table(truth, prediction)
    assert table.truth_ids.tolist() == [i for i in np.unique(truth) if i]
    assert table.prediction_ids.tolist() == [i for i in np.unique(prediction) if i]
    assert table.truth_areas.tolist() == [(truth == i).sum() for i in table.truth_ids]
    assert table.prediction_areas.tolist() == [(prediction == i).sum() for i in table.prediction_ids]
    counted = {
        (table.truth_ids[k], table.prediction_ids[p]): n
        for k, p, n in zip(table.truth_index, table.prediction_index, table.intersections, strict=True)
    }
    expected = {
        (t, p): ((truth == t) & (prediction == p)).sum()
        for t in table.truth_ids
        for p in table.prediction_ids
        if ((truth == t) & (prediction == p)).any()
    }
    assert counted == expected
    assert list(counted) == sorted(counted)


def test_a_pair_too_many_to_count_directly_is_sorted_instead():
    # 400 ids in 400 pixels: 401² codes are more than the histogram may have cells.
    truth = np.arange(1, 401).reshape(20, 20)
    table = contingency_table(truth, truth[::-1])
    assert table.num_truth == table.num_predicted == len(table.intersections) == 400


def test_ious_and_unions():
    table = contingency_table(row((1, 4), (0, 6)), row((0, 1), (9, 5), (0, 4)))
    assert table.intersections.tolist() == [3]
    assert table.unions.tolist() == [6]  # 4 + 5 - 3
    assert table.ious.tolist() == [0.5]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.int64, np.uint64])
def test_any_integer_type(dtype: type):
    table = contingency_table(row((0, 2), (100, 3)).astype(dtype), row((100, 5)))
    assert (table.truth_ids.tolist(), table.intersections.tolist()) == ([100], [3])


def test_an_image_of_no_pixels_has_no_instances():
    table = contingency_table(np.zeros((0, 7), int), np.zeros((0, 7), int))
    assert (table.num_truth, table.num_predicted) == (0, 0)


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (np.zeros((4, 5), int), np.zeros((5, 4), int), r"truth is 4×5 .* prediction 5×4"),
        (np.zeros((4, 5)), np.zeros((4, 5), int), "truth holds float64"),
        (np.zeros((4, 5), int), np.zeros((4, 5), bool), "prediction holds bool"),
        (np.full((4, 5), -3), np.zeros((4, 5), int), "truth holds the negative id -3"),
        (np.zeros((4, 5), int), np.zeros((4, 5, 3), int), r"prediction has shape \(4, 5, 3\)"),
    ],
)
def test_what_is_no_pair_of_label_maps_is_refused(truth: np.ndarray, prediction: np.ndarray, message: str):
    with pytest.raises(UserError, match=message):
        contingency_table(truth, prediction)


@given(pairs(most=9), st.sampled_from([1, 7, 10**9]))
def test_relabel_closes_gaps_and_keeps_order(maps: tuple[np.ndarray, np.ndarray], spread: int):
    labels = np.asarray(maps[0], np.int64) * spread
    dense, ids, areas = relabel(labels)
    assert np.array_equal(np.concatenate([[0], ids])[dense], labels)
    assert areas.tolist() == [(labels == i).sum() for i in ids]
    assert ids.tolist() == sorted(set(labels.ravel().tolist()) - {0})
