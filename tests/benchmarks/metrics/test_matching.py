from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import slow_metrics
import torch
from hypothesis import assume, given
from label_maps import pairs, row
from torchmetrics.functional.detection import panoptic_quality as torchmetrics_pq

from benchmarks.metrics import contingency_table, image_metrics
from benchmarks.metrics.matching import f1_at_least_half, match, panoptic_quality_at_least_half, precision_at

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_golden", GOLDEN / "make_stardist_matching.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads((GOLDEN / "stardist_matching.json").read_text())


# Seeds where an IoU is exactly 331/662, 166/332 or 105/150: there StarDist's ≥ and our > differ.
TIED = {3, 5, 7}


def test_stardist_counts_the_same_where_no_iou_is_at_a_threshold(golden: dict):
    untied = [case for case in golden["cases"] if case["seed"] not in TIED]
    assert len(untied) == 9
    for case in untied:
        table = contingency_table(*maker().label_maps(case["seed"]))
        for index, threshold in enumerate(golden["thresholds"]):
            found = match(table, round(100 * threshold))
            counts = (found.matched, found.spurious, found.missed)
            assert counts == tuple(case[name][index] for name in ("tp", "fp", "fn"))
            assert precision_at(table, round(100 * threshold)) == pytest.approx(case["accuracy"][index])


def test_stardist_agrees_on_f1_panoptic_quality_and_ap(golden: dict):
    for case in golden["cases"]:
        if case["seed"] in TIED:
            continue
        metrics = image_metrics(*maker().label_maps(case["seed"]))
        assert metrics["f1"] == pytest.approx(case["f1"][0])
        # StarDist keeps IoU in single precision.
        assert metrics["pq"] == pytest.approx(case["panoptic_quality"][0], rel=1e-6)
        assert metrics["sq"] == pytest.approx(case["mean_matched_score"][0], rel=1e-6)
        assert metrics["ap50"] == pytest.approx(case["accuracy"][0])
        assert metrics["ap"] == pytest.approx(np.mean(case["accuracy"]))


@pytest.mark.parametrize("seed", [3, 5])
def test_stardist_counts_an_iou_of_exactly_one_half(golden: dict, seed: int):
    case = next(case for case in golden["cases"] if case["seed"] == seed)
    assert match(contingency_table(*maker().label_maps(seed))).matched == case["tp"][0] - 1


def test_at_least_counts_as_stardist_does_at_every_threshold(golden: dict):
    for case in golden["cases"]:
        table = contingency_table(*maker().label_maps(case["seed"]))
        for index, threshold in enumerate(golden["thresholds"]):
            found = match(table, round(100 * threshold), at_least=True)
            counts = (found.matched, found.spurious, found.missed)
            assert counts == tuple(case[name][index] for name in ("tp", "fp", "fn"))
        assert f1_at_least_half(table) == pytest.approx(case["f1"][0])
        assert panoptic_quality_at_least_half(table) == pytest.approx(case["panoptic_quality"][0], rel=1e-6)


@given(pairs())
def test_at_least_one_half_is_the_largest_choice_of_pairs(maps: tuple[np.ndarray, np.ndarray]):
    table = contingency_table(*maps)
    assert f1_at_least_half(table) == pytest.approx(slow_metrics.f1_at_least_half(*maps))
    assert panoptic_quality_at_least_half(table) == pytest.approx(slow_metrics.pq_at_least_half(*maps))


def test_two_halves_of_one_instance_are_one_match_whichever_side_they_are_on():
    # IoU 3/6 twice: only one of the two can have the partner.
    whole, halves = row((1, 6)), row((4, 3), (9, 3))
    for table in (contingency_table(whole, halves), contingency_table(halves, whole)):
        assert match(table, at_least=True).matched == 1
        assert f1_at_least_half(table) == pytest.approx(2 / 3)
        assert panoptic_quality_at_least_half(table) == pytest.approx(2 / 3 * 0.5)
        assert match(table).matched == 0


@given(pairs())
def test_torchmetrics_agrees_with_one_class_of_things(maps: tuple[np.ndarray, np.ndarray]):
    """Background becomes a second, "stuff" class, whose quality torchmetrics then gives separately."""
    truth, prediction = (np.stack([(m > 0).astype(int), m], axis=-1)[None] for m in maps)
    assume(maps[0].any() or maps[1].any())  # torchmetrics leaves out a class that is absent from both
    result = torchmetrics_pq(
        torch.from_numpy(prediction),
        torch.from_numpy(truth),
        things={1},
        stuffs={0},
        return_sq_and_rq=True,
        return_per_class=True,
    )
    pq, sq, rq = result[0].tolist()
    metrics = image_metrics(*maps)
    assert (metrics["pq"], metrics["sq"], metrics["dq"]) == pytest.approx((pq, sq, rq), abs=1e-6)


def test_an_iou_of_exactly_one_half_is_no_match():
    # Truth 6 px, prediction 3 px inside: IoU 3/6. StarDist's ≥ would say F1 = 1.
    metrics = image_metrics(row((1, 6)), row((1, 3), (0, 3)))
    assert (metrics["f1"], metrics["ap50"], metrics["pq"], metrics["sq"]) == (0, 0, 0, 0)
    # One pixel more, 4/6, is one.
    metrics = image_metrics(row((1, 6)), row((1, 4), (0, 2)))
    assert (metrics["f1"], metrics["ap50"], metrics["pq"], metrics["sq"]) == (1, 1, 4 / 6, 4 / 6)


def test_every_threshold_of_ap_is_strict_whatever_floats_say():
    # IoU 11/20 = 0.55, 3/5 = 0.60, ..., 19/20: in floats some of them exceed percent / 100 by a rounding.
    for percent in range(50, 100, 5):
        table = contingency_table(row((1, 100)), row((1, percent), (0, 100 - percent)))
        assert match(table, percent).matched == 0
        assert percent == 50 or match(table, percent - 5).matched == 1


def test_average_precision_by_hand():
    # Truths of 10 px; the predictions inside them have 10, 8 and 5 px: IoU 1, 0.8, 0.5; a fourth is spurious.
    truth = row((1, 10), (2, 10), (3, 10), (0, 3))
    prediction = row((1, 10), (2, 8), (0, 2), (3, 5), (0, 5), (4, 3))
    metrics = image_metrics(truth, prediction)
    # IoU > 0.5: 2 of 3 found, 2 of 4 right: 2 / (2 + 1 + 2).
    assert metrics["ap50"] == 2 / 5
    # 0.50 to 0.75: 6 times 2/5; from 0.80, where 0.8 is not above, 4 times 1 / (1 + 2 + 3).
    assert metrics["ap"] == pytest.approx((6 * 2 / 5 + 4 * 1 / 6) / 10)
    # DQ = 2 / (2 + 1/2 + 2/2), SQ = (1 + 0.8) / 2.
    assert metrics["dq"] == pytest.approx(2 / 3.5)
    assert metrics["sq"] == pytest.approx(0.9)


@pytest.mark.parametrize("percent", [49, 100])
def test_thresholds_where_matches_are_not_unique_are_refused(percent: int):
    with pytest.raises(ValueError, match="not unique"):
        match(contingency_table(row((1, 1)), row((1, 1))), percent)
