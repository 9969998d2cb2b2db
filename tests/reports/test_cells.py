from __future__ import annotations

import math
from pathlib import Path

import pytest
from synthesis import edit_result

from reports.cells import Figure, best, metric_columns
from reports.collect import collect


def test_mean_and_spread_by_hand() -> None:
    """Deviations of 0.1, 0.2, 0.6 from 0.3 are -0.2, -0.1, 0.3: variance (0.04 + 0.01 + 0.09) / 2 = 0.07."""
    figure = Figure.of([0.1, 0.2, 0.6])
    assert figure is not None
    assert figure.mean == pytest.approx(0.3)
    assert figure.std == pytest.approx(math.sqrt(0.07))
    assert str(figure) == "0.3000 ± 0.2646"


def test_one_seed_has_no_spread() -> None:
    assert Figure.of([0.25]) == Figure(0.25, None, 1)
    assert str(Figure.of([0.25])) == "0.2500"
    assert Figure.of([]) is None


@pytest.mark.parametrize(
    ("values", "direction", "expected"),
    [
        ([0.1, 0.3, 0.2], "max", {1}),
        ([0.1, 0.3, 0.2], "min", {0}),
        ([0.3, 0.3, 0.2], "max", {0, 1}),
        ([0.30001, 0.30004, 0.2], "max", {0, 1}),  # equal as printed
        ([None, 0.3, 0.2], "max", {1}),
        ([None, 0.3, 0.2], "min", {2}),
        ([0.3, 0.3], "max", set()),
        ([0.3, None], "max", set()),
        ([None, None], "max", set()),
        ([-2.0, 1.0], "none", set()),
    ],
)
def test_best(values: list[float | None], direction: str, expected: set[int]) -> None:
    assert best(values, direction) == expected


def test_columns_take_the_direction_of_their_metric(one_seed: Path) -> None:
    results = collect(one_seed, "table4")
    metrics = ["aji", "abs_dic", "dic"]
    results = type(results)(results.spec.model_copy(update={"metrics": metrics}), results.rows, {})
    aji, abs_dic, dic = metric_columns(results)
    assert (aji.title, abs_dic.title, dic.title) == ("AJI ↑", "|DiC| ↓", "DiC")
    errors = [figure.mean for figure in abs_dic.measured if figure]
    assert abs_dic.best_measured == {index for index, error in enumerate(errors) if error == min(errors)}
    assert dic.best_measured == frozenset()


def test_a_metric_that_is_null_counts_for_no_seed(three_seeds: Path) -> None:
    edit_result(three_seeds, "table4-row1-seed1", "metrics.pq", None)
    column = metric_columns(collect(three_seeds, "table4"))[3]
    assert [figure.seeds for figure in column.measured if figure] == [2, 3, 3, 3, 3, 3, 3, 3]
