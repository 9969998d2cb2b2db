"""Derived tables against the same change made to the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_maps import pairs, row

from benchmarks.metrics import ContingencyTable, contingency_table, image_metrics, table_metrics
from benchmarks.metrics.derived import pool, within_foreground


def same(one: ContingencyTable, other: ContingencyTable) -> None:
    for name in ("truth_areas", "prediction_areas", "truth_index", "prediction_index", "intersections"):
        found, expected = getattr(one, name), getattr(other, name)
        assert (found.dtype, found.tolist()) == (expected.dtype, expected.tolist()), name


def side_by_side(maps: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """One wide image: each pair padded to the same height, ids behind those of the images before it."""
    height = max(truth.shape[0] for truth, _ in maps)

    def tiled(images: list[np.ndarray]) -> np.ndarray:
        shifted = [np.where(image > 0, image + 100 * index, 0) for index, image in enumerate(images)]
        return np.concatenate([np.pad(image, ((0, height - len(image)), (0, 0))) for image in shifted], axis=1)

    return tiled([truth for truth, _ in maps]), tiled([prediction for _, prediction in maps])


@given(st.lists(pairs(), min_size=1, max_size=4))
def test_a_pool_is_the_table_of_the_images_side_by_side(maps: list[tuple[np.ndarray, np.ndarray]]):
    pooled = pool([contingency_table(*pair) for pair in maps])
    wide = side_by_side(maps)
    same(pooled, contingency_table(*wide))
    # Pairs are in the same order, so even ties are settled alike.
    assert table_metrics(pooled, compat=True) == image_metrics(*wide, compat=True)
    assert pooled.truth_ids.tolist() == list(range(1, pooled.num_truth + 1))
    assert pooled.prediction_ids.tolist() == list(range(1, pooled.num_predicted + 1))


def test_pooled_figures_by_hand():
    # First image: truth 10 px, prediction its first 8. Second: 2 px, found exactly, and a spurious one of 4 px.
    tables = [
        contingency_table(row((1, 10)), row((1, 8), (0, 2))),
        contingency_table(row((1, 2), (0, 8)), row((1, 2), (0, 1), (2, 4), (0, 3))),
    ]
    pooled = table_metrics(pool(tables))
    assert pooled["aji"] == (8 + 2) / (10 + 2 + 4)
    assert pooled["dice"] == 2 * (8 + 2) / (10 + 2 + 8 + 2 + 4)
    assert pooled["f1"] == 2 / (2 + 1 / 2)
    assert pooled["pq"] == pytest.approx((0.8 + 1) / (2 + 1 / 2))
    # Truths: 8/9 and 1; predictions: 8/9, 1 and 0.
    assert pooled["sbd"] == pytest.approx((8 / 9 + 1 + 0) / 3)


def test_a_pooled_sbd_takes_the_lower_direction_once():
    # One image has a spurious prediction, the other a missed truth: image by image, the lower direction differs.
    tables = [
        contingency_table(row((1, 4), (0, 2)), row((1, 4), (2, 2))),
        contingency_table(row((1, 4), (2, 2)), row((1, 4), (0, 2))),
    ]
    assert [table_metrics(table)["sbd"] for table in tables] == [0.5, 0.5]
    assert table_metrics(pool(tables))["sbd"] == pytest.approx(2 / 3)


def test_an_empty_image_counts_as_perfect_in_a_mean_and_not_at_all_in_a_pool():
    empty, half = contingency_table(row((0, 4)), row((0, 4))), contingency_table(row((1, 4)), row((1, 2), (0, 2)))
    assert table_metrics(empty)["dice"] == 1
    assert table_metrics(pool([empty, half]))["dice"] == table_metrics(half)["dice"] == pytest.approx(2 / 3)
    assert table_metrics(pool([empty, empty]))["aji"] == 1


def test_nothing_cannot_be_pooled():
    with pytest.raises(ValueError, match="no table"):
        pool([])


@given(pairs())
def test_the_foreground_mask_does_to_counts_what_it_does_to_pixels(maps: tuple[np.ndarray, np.ndarray]):
    truth, prediction = maps
    cut = within_foreground(contingency_table(truth, prediction))
    expected = contingency_table(truth, prediction * (truth > 0))
    same(cut, expected)
    assert cut.truth_ids.tolist() == expected.truth_ids.tolist()
    assert cut.prediction_ids.tolist() == expected.prediction_ids.tolist()


def test_the_foreground_mask_forgives_what_lies_outside():
    # Prediction 1 spills 2 px over the truth; prediction 2 lies outside entirely.
    table = contingency_table(row((1, 4), (0, 6)), row((1, 6), (0, 1), (2, 3)))
    before, after = table_metrics(table), table_metrics(within_foreground(table))
    assert (before["aji"], before["dic"]) == (4 / 9, 1)
    assert (after["aji"], after["dic"]) == (1, 0)
