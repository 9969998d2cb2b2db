from __future__ import annotations

import numpy as np
import pytest
import slow_metrics
from hypothesis import given
from label_maps import pairs, row

from benchmarks.metrics import contingency_table
from benchmarks.metrics.aji import aji, aji_cellpose, aji_pea, aji_plus


@given(pairs())
def test_literal_loops_agree(maps: tuple[np.ndarray, np.ndarray]):
    table = contingency_table(*maps)
    assert aji(table) == pytest.approx(slow_metrics.aji(*maps))
    assert aji_pea(table) == pytest.approx(slow_metrics.aji_pea(*maps))


@given(pairs())
def test_aji_plus_is_that_of_an_assignment_of_the_highest_total_iou(maps: tuple[np.ndarray, np.ndarray]):
    value = aji_plus(contingency_table(*maps))
    assert min(abs(value - other) for other in slow_metrics.aji_plus(*maps)) < 1e-9


@given(pairs())
def test_cellposes_aji_is_that_of_an_assignment_of_the_least_cost(maps: tuple[np.ndarray, np.ndarray]):
    value = aji_cellpose(contingency_table(*maps))
    assert min(abs(value - other) for other in slow_metrics.aji_cellpose(*maps)) < 1e-9


def test_cellposes_aji_counts_foreground_once():
    # Truths 1 (6 px) and 2 (4 px) under one prediction of 12 px: the pair 1-3 has IoU 6 / 12, and matches at 0.5.
    table = contingency_table(row((1, 6), (2, 4), (0, 2)), row((3, 12)))
    assert aji_cellpose(table) == 6 / 12
    # Truth 2 stays alone, and adds its 4 px a second time under AJI+.
    assert aji_plus(table) == 6 / 16


def test_a_missed_truth_adds_its_own_area_and_only_in_the_released_evaluation_more():
    # 1: 4 px, missed. 2: 6 px, of which prediction 5 (8 px) covers 6.
    truth, prediction = row((1, 4), (0, 2), (2, 6), (0, 4)), row((0, 6), (5, 8), (0, 2))
    table = contingency_table(truth, prediction)
    # Intersection 6; union 8; the missed truth adds 4.
    assert aji(table) == aji_plus(table) == 6 / 12
    # Truth 1 takes prediction 5 by argmax over zeros: 4 + 8. Then 5 is gone for truth 2, which adds 6.
    assert aji_pea(table) == 0


def test_a_merge_pays_twice_under_aji_and_once_under_aji_plus():
    # Truths 1 (6 px) and 2 (4 px) under one prediction of 10 px.
    table = contingency_table(row((1, 6), (2, 4)), row((3, 10)))
    # Both take it: (6 + 4) / (10 + 10).
    assert aji(table) == 10 / 20
    # Truth 1 takes it, 6 / 10; truth 2 stays alone and adds 4.
    assert aji_plus(table) == 6 / 14
    # The same here: truth 1 comes first.
    assert aji_pea(table) == 6 / 14


def test_the_lowest_id_wins_a_tie():
    # Truth of 4 px; predictions 2 and 8 cover 2 px each: IoU 0.5 both.
    table = contingency_table(row((1, 4)), row((8, 2), (2, 2)))
    # One is taken, 2 / 4, the other adds 2.
    assert aji(table) == 2 / 6


def test_the_assignment_gives_up_a_good_pair_for_a_better_total():
    # A: 10 px. B: 10 px. p: 9 px of A and 6 of B. q: the last px of A... and 0 of B.
    truth = row((1, 10), (2, 10))
    prediction = row((8, 1), (7, 15), (0, 4))
    table = contingency_table(truth, prediction)
    # IoU: A-8 1/10, A-7 9/16, B-7 6/19. One-to-one: A-7 alone 0.5625 beats A-8 + B-7 = 0.1 + 0.316.
    # Intersection 9, union 16, alone: B 10 and prediction 8, 1 px.
    assert aji_plus(table) == 9 / 27
    # With prediction 8 on 5 px: A-8 5/10, A-7 5/20, B-7 10/15; both A-8 and B-7: 15 / 25.
    assert aji_plus(contingency_table(truth, row((8, 5), (7, 15)))) == 15 / 25
