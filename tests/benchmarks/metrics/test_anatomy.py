"""Kinds of error against hand-drawn cases, literal loops and their own sums."""

from __future__ import annotations

import numpy as np
import pytest
import slow_anatomy
from hypothesis import given, settings
from label_maps import pairs

from benchmarks.metrics import image_metrics
from benchmarks.metrics.anatomy import anatomy, touching
from benchmarks.metrics.mending import KINDS, ErrorCounts, ap_costs, pq_costs
from benchmarks.metrics.surfaces import surface_distances


def drawn(*lines: str) -> np.ndarray:
    """A label map from a drawing: a digit is an id, a dot background."""
    return np.array([[0 if pixel == "." else int(pixel) for pixel in line] for line in lines])


CASES = {
    "matched": (
        drawn("1111", "1111"),
        drawn("1111", "11.."),  # IoU 6/8
        ["matched"], ["matched"],
    ),
    "missed": (drawn("11..", "11.."), drawn("....", "...."), ["missed"], []),
    "spurious": (drawn("....", "...."), drawn("..33", "..33"), [], ["spurious"]),
    "missed here, spurious there": (drawn("11..44"), drawn(".....7"), ["missed", "localisation"], ["localisation"]),
    "one prediction over two truths": (drawn("112233"), drawn("555566"), ["merged", "merged", "matched"],
                                       ["merged", "matched"]),
    "over a clump of twelve, each with an IoU of 1/12": (
        drawn("123456", "789123") + np.array([[0] * 6, [0, 0, 0, 9, 9, 9]]), drawn("777777", "777777"),
        ["merged"] * 12, ["merged"],
    ),
    "a match that holds a small neighbour": (drawn("1111112"), drawn("5555555"), ["matched", "merged"], ["matched"]),
    "exactly half is not held": (drawn("11112222"), drawn("..5555.."), ["localisation"] * 2, ["localisation"]),
    "one truth in two predictions": (drawn("111122"), drawn("556622"), ["split", "matched"],
                                     ["matched", "split", "split"]),
    "a match with a piece broken off": (drawn("1111111"), drawn("5555566"), ["matched"], ["matched", "split"]),
    "two specks": (drawn("1111111111"), drawn("5........6"), ["split"], ["split", "split"]),
    # Truth 1 is in two pieces, one of which holds truth 2 as well: merged comes first, the other piece stays split.
    "merged and split": (drawn("111112"), drawn("665555"), ["merged", "merged"], ["merged", "split"]),
    # A chain 1-5-2-6-3: 5 holds 1 and 2, 6 holds 3 and lies in it.
    "a chain": (drawn("1122223333"), drawn("5555566666"), ["merged", "merged", "matched"], ["merged", "matched"]),
    "IoU of exactly 0.1": (drawn("1111111111"), drawn("5........."), ["localisation"], ["localisation"]),
    "IoU of 1/11": (drawn("11111111111"), drawn("5.........."), ["missed"], ["spurious"]),
    "both empty": (drawn("...."), drawn("...."), [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_drawn_cases(name: str) -> None:
    truth, prediction, of_truth, of_prediction = CASES[name]
    found = anatomy(truth, prediction).fates
    assert (found.truths.tolist(), found.predictions.tolist()) == (of_truth, of_prediction)


def test_events_are_counted_apart_from_fates() -> None:
    """A match may merge or be split as well: that is what Caicedo's merges and splits are."""
    merged = anatomy(*CASES["a match that holds a small neighbour"][:2]).fates
    assert (merged.merging.tolist(), merged.fragmented.tolist()) == ([True], [False, False])
    split = anatomy(*CASES["a match with a piece broken off"][:2]).fates
    assert (split.merging.tolist(), split.fragmented.tolist()) == ([False, False], [True])


@given(pairs())
def test_fates_are_those_of_literal_loops(maps: tuple[np.ndarray, np.ndarray]) -> None:
    found = anatomy(*maps).fates
    assert (found.truths.tolist(), found.predictions.tolist()) == slow_anatomy.fates(*maps)


@given(pairs())
def test_gaps_and_order_of_ids_change_nothing(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, prediction = maps
    before, after = anatomy(truth, prediction).fates, anatomy((truth > 0) * (600 - 7 * truth), prediction * 9).fates
    assert before.truths.tolist() == after.truths.tolist()[::-1]
    assert before.predictions.tolist() == after.predictions.tolist()


@settings(max_examples=40, deadline=None)
@given(pairs())
def test_shares_are_mean_gains_over_all_orders(maps: tuple[np.ndarray, np.ndarray]) -> None:
    counts = anatomy(*maps).counts
    of_pq, of_ap = slow_anatomy.shares(*maps)
    assert pq_costs(counts).shares == pytest.approx(of_pq, abs=1e-12)
    assert ap_costs(counts).shares == pytest.approx(of_ap, abs=1e-12)


@given(pairs())
def test_shares_add_up_to_what_is_lost(maps: tuple[np.ndarray, np.ndarray]) -> None:
    counts, metrics = anatomy(*maps).counts, image_metrics(*maps)
    assert sum(pq_costs(counts).shares.values()) == pytest.approx(1 - metrics["pq"], abs=1e-12)
    assert sum(ap_costs(counts).shares.values()) == pytest.approx(1 - metrics["ap"], abs=1e-12)
    assert min(*pq_costs(counts).shares.values(), *ap_costs(counts).shares.values()) >= -1e-12


def test_shares_by_hand() -> None:
    """One match of IoU 0.8, one missed, one spurious: PQ is 0.8 / 2 = 0.4.

    Mended alone, missed gives 1.8 / 2.5 = 0.72, spurious 0.8 / 1.5, the boundary 1 / 2. Only the boundary is lost to
    AP above 0.8: AP is (6 × 1/3 + 4 × 0) / 10 = 0.2.
    """
    counts = ErrorCounts({"missed": 1}, {"spurious": 1}, 0.8, [1] * 6 + [0] * 4)
    alone = pq_costs(counts).alone
    assert alone == pytest.approx(dict.fromkeys(KINDS, 0.0) | {"missed": 0.32, "spurious": 2 / 15, "boundary": 0.1})
    assert sum(pq_costs(counts).shares.values()) == pytest.approx(0.6)
    assert sum(ap_costs(counts).shares.values()) == pytest.approx(0.8)


def test_surface_distances_by_hand() -> None:
    """A bar of 3 pixels and the same one column on: distances 1, 0, 0 there, 0, 0, 1 back."""
    first, second = drawn("111.") > 0, drawn(".111") > 0
    assert surface_distances(first, second) == pytest.approx((2 / 6, 0.9))
    square = np.zeros((9, 9), bool)
    square[2:7, 2:7] = True
    inner = np.zeros((9, 9), bool)
    inner[3:6, 3:6] = True  # corners are √2 away, the twelve other outline pixels of the square 1
    assert surface_distances(square, inner)[0] == pytest.approx((4 * 2**0.5 + 12 + 8) / 24)
    assert surface_distances(square, square) == (0, 0)


@settings(deadline=None)
@given(pairs())
def test_surface_distances_are_those_of_literal_loops(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, prediction = maps
    found = anatomy(truth, prediction)
    table, matches = found.table, found.fates.matches
    expected = [
        slow_anatomy.surface_distances(
            truth == table.truth_ids[table.truth_index[pair]],
            prediction == table.prediction_ids[table.prediction_index[pair]],
        )
        for pair in matches
    ]
    assert found.distances == pytest.approx(np.array(expected).reshape(-1, 2))


@given(pairs(side=12))
def test_touching_is_that_of_literal_loops(maps: tuple[np.ndarray, np.ndarray]) -> None:
    for labels in (maps[0], maps[0] * (maps[1] == 1)):
        assert touching(labels).tolist() == slow_anatomy.touching(labels)


def test_a_line_of_one_pixel_does_not_part_two_truths() -> None:
    assert touching(drawn("11.22..3")).tolist() == [True, True, False]


def test_what_is_ignored_costs_nothing() -> None:
    truth = drawn(
        "1111....",
        "1111..22",
        "1111..22",
    )
    ignored = np.where(truth == 2, -1, truth)
    prediction = np.where(truth == 1, 7, 0) + np.where(truth == 2, 9, 0)
    prediction[:, 4:6] = 7  # one column of it is beside what is not known
    beside = anatomy(ignored, prediction)
    without = anatomy(np.where(truth == 1, 1, 0), np.where(prediction == 7, 7, 0))
    assert beside.fates.predictions.tolist() == ["matched"]
    assert beside.counts == without.counts and (beside.distances == without.distances).all()
