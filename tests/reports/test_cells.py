from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from synthesis import edit_result, fail, synthesise_scores

from benchmarks.plan.tables import Display
from reports.cells import Figure, best, metric_columns
from reports.collect import collect


def test_mean_and_spread_by_hand() -> None:
    """0.1, 0.2 and 0.6 deviate from 0.3 by -0.2, -0.1 and 0.3: the variance is (0.04 + 0.01 + 0.09) / 2 = 0.07."""
    figure = Figure.of([0.1, 0.2, 0.6])
    assert figure is not None
    assert figure.mean == pytest.approx(0.3)
    assert figure.std == pytest.approx(math.sqrt(0.07))
    assert figure.printed(Display()) == "0.3000 ± 0.2646"
    assert figure.printed(Display(factor=100, digits=1)) == "30.0 ± 26.5"


def test_one_seed_has_no_spread() -> None:
    assert Figure.of([0.25]) == Figure(0.25, None, 1)
    assert Figure(0.25, None, 1).printed(Display()) == "0.2500"
    assert Figure.of([]) is None


@pytest.mark.parametrize(
    ("printed", "direction", "expected"),
    [
        (["0.1", "0.3", "0.2"], "max", {1}),
        (["0.1", "0.3", "0.2"], "min", {0}),
        (["9.5", "10.5"], "max", {1}),
        (["0.30", "0.3", "0.2"], "max", {0, 1}),
        ([None, "0.3", "0.2"], "max", {1}),
        ([None, "0.3", "0.2"], "min", {2}),
        (["0.3", "0.3"], "max", set()),
        (["0.3", None], "max", set()),
        ([None, None], "max", set()),
        (["-2.0", "1.0"], "none", set()),
    ],
)
def test_best(printed: list[str | None], direction: str, expected: set[int]) -> None:
    assert best(printed, direction) == expected


def test_columns_take_the_direction_of_their_metric(one_seed: Path) -> None:
    results = collect(one_seed, "table4")
    metrics = ["aji", "abs_dic", "dic"]
    results = type(results)(results.spec.model_copy(update={"metrics": metrics}), results.rows, {})
    aji, abs_dic, dic = metric_columns(results)
    assert (aji.title, abs_dic.title, dic.title) == ("AJI ↑", "|DiC| ↓", "DiC")
    errors = [float(text) for text in abs_dic.measured if text]
    assert abs_dic.best_measured == {index for index, error in enumerate(errors) if error == min(errors)}
    assert dic.best_measured == frozenset()


def test_a_metric_that_is_null_counts_for_no_seed(three_seeds: Path) -> None:
    edit_result(three_seeds, "table4-row1-seed1", "metrics.pq", None)
    rows = collect(three_seeds, "table4").rows
    assert [len(row.measured("pq")) for row in rows] == [2, 3, 3, 3, 3, 3, 3, 3]


def test_difference_is_that_of_the_printed_figures(one_seed: Path) -> None:
    """0.80155001 is printed as 0.8016, 0.0005 above the paper's 0.8011; the figures themselves differ by 0.00045."""
    edit_result(one_seed, "table4-row1-seed0", "metrics.pq", 0.80155001)
    edit_result(one_seed, "table4-row2-seed0", "metrics.pq", 0.8)
    fail(one_seed, "table4-row3-seed0", "x")
    pq = metric_columns(collect(one_seed, "table4"))[3]
    assert pq.measured[0] == "0.8016"
    assert pq.difference[:3] == ("+0.0005", "-0.0141", None)


def test_signs_are_those_of_the_family(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, {"table4": {"full model": 0.1, "no components": 0.2}}, tables=["table4"])
    assert [column.signs for column in metric_columns(collect(tmp_path, "table4"))] == [(1, *[-1] * 6, 0)] * 4


def test_equal_as_printed_is_equally_good(one_seed: Path) -> None:
    for number, value in enumerate((0.30001, 0.30004, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2), 1):
        edit_result(one_seed, f"table4-row{number}-seed0", "metrics.pq", value)
    results = collect(one_seed, "table4")
    assert metric_columns(results)[3].best_measured == {0, 1}
    finer = results.spec.model_copy(update={"display": {"pq": Display(digits=5)}})
    assert metric_columns(dataclasses.replace(results, spec=finer))[3].best_measured == {1}
