from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slow_metrics
from hypothesis import given
from hypothesis import strategies as st
from label_maps import pairs

from benchmarks.metrics import COMPAT_METRICS, METRICS, contingency_table, image_metrics, table_metrics

COUNTS = ("abs_dic", "dic")
QUALITIES = tuple(name for name in METRICS if name not in COUNTS)
SYMMETRIC = ("dice", "f1", "pq", "dq", "sq", "sbd", "ap50", "ap", "abs_dic")
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def test_names_and_their_order():
    expected = ["aji", "aji_plus", "dice", "f1", "pq", "dq", "sq", "sbd", "abs_dic", "dic", "ap50", "ap"]
    empty = np.zeros((2, 2), int)
    assert list(METRICS) == list(image_metrics(empty, empty)) == expected
    assert list(table_metrics(contingency_table(empty, empty))) == expected
    assert list(image_metrics(empty, empty, compat=True)) == [*expected, "aji_pea"]
    assert all(name == metric.name for name, metric in (METRICS | COMPAT_METRICS).items())


@given(pairs())
def test_literal_loops_agree(maps: tuple[np.ndarray, np.ndarray]):
    metrics = image_metrics(*maps, compat=True)
    del metrics["aji_plus"]  # it may have several answers; test_aji.py
    assert metrics == pytest.approx(slow_metrics.all_metrics(*maps))


@given(pairs())
def test_values_are_within_their_bounds(maps: tuple[np.ndarray, np.ndarray]):
    for name, value in image_metrics(*maps, compat=True).items():
        metric = (METRICS | COMPAT_METRICS)[name]
        assert metric.lower <= value <= metric.upper


@given(pairs())
def test_relations_between_metrics(maps: tuple[np.ndarray, np.ndarray]):
    metrics = image_metrics(*maps)
    assert metrics["pq"] == metrics["dq"] * metrics["sq"]
    assert metrics["dq"] == metrics["f1"]
    assert metrics["abs_dic"] == abs(metrics["dic"])
    assert metrics["ap50"] == pytest.approx(metrics["f1"] / (2 - metrics["f1"]))
    assert metrics["ap"] <= metrics["ap50"] + 1e-12


@given(pairs())
def test_symmetric_metrics_and_the_sign_of_dic(maps: tuple[np.ndarray, np.ndarray]):
    there, back = image_metrics(*maps), image_metrics(*maps[::-1])
    assert {name: there[name] for name in SYMMETRIC} == pytest.approx({name: back[name] for name in SYMMETRIC})
    assert there["dic"] == -back["dic"]


@given(pairs(), st.permutations(range(1, 6)), st.permutations(range(1, 6)))
def test_ids_are_only_names(maps: tuple[np.ndarray, np.ndarray], first: list[int], second: list[int]):
    truth, prediction = maps
    renamed = np.array([0, *first])[truth] * 70_000, np.array([0, *second])[prediction] * 3
    before, after = image_metrics(truth, prediction), image_metrics(*renamed)
    # The two AJIs may settle a tie of IoUs otherwise.
    free_of_ties = [name for name in METRICS if not name.startswith("aji")]
    assert {n: before[n] for n in free_of_ties} == pytest.approx({n: after[n] for n in free_of_ties})


@given(pairs(), st.integers(2, 70_000))
def test_gaps_change_nothing(maps: tuple[np.ndarray, np.ndarray], factor: int):
    truth, prediction = maps
    assert image_metrics(truth * factor, prediction * factor, compat=True) == image_metrics(*maps, compat=True)


@given(pairs())
def test_the_truth_itself_is_perfect(maps: tuple[np.ndarray, np.ndarray]):
    metrics = image_metrics(maps[0], maps[0], compat=True)
    assert all(value == (0 if name in COUNTS else 1) for name, value in metrics.items())


@given(pairs())
def test_no_prediction_is_better_than_the_truth(maps: tuple[np.ndarray, np.ndarray]):
    """That is what the direction says."""
    truth, prediction = (image_metrics(maps[0], other, compat=True) for other in (maps[0], maps[1]))
    for name, metric in (METRICS | COMPAT_METRICS).items():
        if metric.direction == "max":
            assert prediction[name] <= truth[name] == metric.upper
        elif metric.direction == "min":
            assert prediction[name] >= truth[name] == metric.lower
    assert [name for name, metric in METRICS.items() if metric.direction == "none"] == ["dic"]


EMPTY, TWO = np.zeros((4, 4), np.int32), np.repeat([[1, 1, 9, 9]], 4, axis=0)


@pytest.mark.parametrize(
    ("truth", "prediction", "quality", "dic"),
    [
        pytest.param(EMPTY, EMPTY, 1, 0, id="both empty"),
        pytest.param(TWO, EMPTY, 0, -2, id="empty prediction"),
        pytest.param(EMPTY, TWO, 0, 2, id="empty truth"),
        pytest.param(TWO, TWO, 1, 0, id="no background, gap in ids"),
        pytest.param(TWO + 255, TWO + 65_535, 1, 0, id="ids above 255 and 65535"),
        pytest.param(TWO.astype(np.uint64) + 2**63, TWO, 1, 0, id="ids above any signed integer"),
    ],
)
def test_edge_cases(truth: np.ndarray, prediction: np.ndarray, quality: float, dic: int):
    metrics = image_metrics(truth, prediction, compat=True)
    assert {metrics[name] for name in (*QUALITIES, "aji_pea")} == {quality}
    assert (metrics["dic"], metrics["abs_dic"]) == (dic, abs(dic))


def test_nothing_matches():
    metrics = image_metrics(TWO, TWO[:, ::-1] * 0 + 5)  # one object over two halves: IoU 0.5 twice
    assert (metrics["f1"], metrics["sq"], metrics["pq"], metrics["ap"], metrics["dic"]) == (0, 0, 0, 0, -1)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not beside this checkout")
def test_real_labels_lose_quality_as_they_are_shifted():
    from benchmarks.data import read_labels

    folder = DATA / "nuclei-u2os"
    stem = (folder / "splits" / "test.txt").read_text().split()[0]
    truth = read_labels(folder / "labels" / f"{stem}.png")
    shifted = [image_metrics(truth, np.roll(truth, distance, axis=1)) for distance in (0, 1, 3, 6, 12)]
    for name in ("aji", "aji_plus", "dice", "pq", "sbd", "ap"):
        values = [metrics[name] for metrics in shifted]
        assert values[0] == 1
        assert values == sorted(values, reverse=True)
        assert values[-1] < 0.75
    crop = truth[:60, :80]
    expected = slow_metrics.all_metrics(crop, np.roll(crop, 2, axis=0))
    found = image_metrics(crop, np.roll(crop, 2, axis=0), compat=True)
    assert {name: found[name] for name in expected} == pytest.approx(expected)
