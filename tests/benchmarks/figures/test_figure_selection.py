"""What a figure shows, by rule: images, windows, targets, queries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.figures.queries import best_queries, cells_of, soft_dice
from benchmarks.figures.selection import by_difficulty, crowded_targets, typical_side, whole_ids


def test_images_from_hard_to_easy_by_hand() -> None:
    """Medians over the rows: a 0.2, b 0.6, c 0.5, d 0.9, e 0.1, f 0.7; in order e a c b f d."""
    scores = [
        {"a": 0.1, "b": 0.6, "c": 0.9, "d": 0.9, "e": 0.1, "f": 0.7, "only here": 0.5},
        {"a": 0.2, "b": 0.7, "c": 0.5, "d": 0.9, "e": 0.1, "f": 0.7},
        {"a": 0.9, "b": 0.3, "c": 0.1, "d": 0.9, "e": 0.1, "f": 0.7},
    ]
    assert by_difficulty(scores, 1) == ["c"]  # of an even number the lower middle one
    assert by_difficulty(scores, 2) == ["a", "f"]  # at 1/4 and 3/4
    assert by_difficulty(scores, 3) == ["e", "c", "f"]  # at 1/6, 3/6 and 5/6
    assert by_difficulty(scores, 99) == ["e", "a", "c", "b", "f", "d"]
    assert by_difficulty([], 3) == by_difficulty([{"a": 1.0}, {"b": 1.0}], 3) == []


def scene() -> np.ndarray:
    """A pair that touches (1, 2), one alone (3), one at the border beside a neighbour (4, 5), a speck (6) by 3."""
    truth = np.zeros((60, 80), int)
    truth[10:20, 10:20], truth[10:20, 20:30] = 1, 2
    truth[40:50, 10:20] = 3
    truth[30:40, 70:80], truth[30:40, 60:70] = 4, 5
    truth[38:40, 14:16] = 6
    return truth


def test_whole_instances_are_those_off_the_border() -> None:
    assert whole_ids(scene()).tolist() == [1, 2, 3, 5, 6]
    assert whole_ids(np.full((3, 3), 7)).tolist() == [7]  # none is whole, so all


def test_targets_are_the_crowded_ones_and_no_neighbours() -> None:
    truth = scene()
    chosen = crowded_targets(truth, 2)
    # 1, 2 and 5 see as much of a neighbour: half of its 100 pixels, in surroundings of 20 by 20 less the target.
    assert [(target.id, target.crowding) for target in chosen] == [
        (1, pytest.approx(50 / 300)),
        (5, pytest.approx(50 / 300)),
    ]
    assert chosen[0].neighbours == {2} and chosen[1].neighbours == {4}
    assert chosen[0].box == (slice(10, 20), slice(10, 20))
    # 2 is a neighbour of 1 and comes after 3, which is not crowded; the speck is below half the median area.
    assert [target.id for target in crowded_targets(truth, 9)] == [1, 5, 3, 2]


def test_surroundings_end_at_the_border() -> None:
    truth = np.zeros((12, 12), int)
    truth[1:5, 1:5], truth[5:7, 1:5] = 1, 2
    (first, *_) = [target for target in crowded_targets(truth, 2) if target.id == 1]
    assert first.crowding == pytest.approx(8 / (7 * 7 - 16))


def test_typical_side() -> None:
    assert typical_side(scene()) == 10


@pytest.mark.parametrize("size", [(8, 12), (9, 13), (10, 14), (11, 15)])
def test_cells_are_as_many_as_the_masks_have(size: tuple[int, int]) -> None:
    truth = np.arange(size[0] * size[1]).reshape(size)
    cells = cells_of(truth)
    assert cells.shape == (-(-size[0] // 4), -(-size[1] // 4))
    assert cells[1, 2] == truth[6, 10]
    assert cells[-1, -1] == truth[min(4 * cells.shape[0] - 2, size[0] - 1), min(4 * cells.shape[1] - 2, size[1] - 1)]


def test_soft_dice_against_the_sum_written_out() -> None:
    rng = np.random.default_rng(0)
    masks, truths = rng.random((3, 10)), rng.integers(0, 2, (2, 10)).astype(float)
    expected = [
        [2 * sum(p * t for p, t in zip(m, truth, strict=True)) / (sum(m) + sum(truth)) for truth in truths]
        for m in masks
    ]
    assert soft_dice(masks, truths) == pytest.approx(np.array(expected))


def test_best_query_and_what_it_takes_in() -> None:
    cells = np.array([[1, 1, 0, 2, 2], [1, 1, 0, 2, 2], [3, 3, 0, 0, 0]])
    masks = np.zeros((4, 3, 5))
    masks[0, :2, :2] = 0.9  # instance 1 alone
    masks[1, :2] = 0.9  # instances 1 and 2 and what is between
    masks[2, 2, 0] = 0.8  # half of instance 3
    masks[3] = 0.4  # everything, but below 0.5
    one, two, three = best_queries(masks, cells, [1, 2, 3])
    assert (one.query, one.covered) == (0, [1])
    assert one.dice == pytest.approx(2 * 3.6 / (3.6 + 4))
    assert (two.query, two.covered) == (1, [1, 2])
    assert (three.query, three.covered) == (2, [3])
    # No query fits an instance without a cell: the first one, at 0.
    assert best_queries(masks, cells, [9])[0].dice == 0


def test_masks_are_interpolated_and_cut() -> None:
    from benchmarks.figures.looking import enlarged, soft_mask

    logits = torch.tensor([[0.0, 4.0], [0.0, 4.0]])
    soft = soft_mask(logits, 4, (7, 6))
    assert soft.shape == (7, 6)
    assert soft[:, 0] == pytest.approx(0.5) and (np.diff(soft[0]) >= 0).all()
    assert soft[0, 3] == pytest.approx(1 / (1 + math.exp(-4 * 0.375))), "logits are, as in segmentation"
    assert enlarged(np.array([[1, 2], [3, 4]]), 3, (4, 5)).tolist() == [[1, 1, 1, 2, 2]] * 3 + [[3, 3, 3, 4, 4]]
