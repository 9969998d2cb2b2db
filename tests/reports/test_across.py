"""Several data sets: ranks by a slow loop, made-up differences that are found, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from synthesis import synthesise_scores
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.errors import UserError
from reports.across import collect_sets, sentences, write_across
from reports.across.collected import only
from reports.across.diagram import significance
from reports.across.ranks import image_ranks, rank
from reports.statistics import crossed_interval, interval_over_sets, paired_difference

UP = {"PCTrans": 0.2, "Mask2Former": 0.1}
DOWN = {"PCTrans": 0.1, "Mask2Former": 0.2}


def scores(out: Path, effects: dict[str, float], data: str, **options: int) -> Path:
    """Table 1 with made-up scores, on data of its own fingerprint and name."""
    synthesise_scores(out, {"table1": effects}, tables=["table1"], data=f"folder:/{data}", **options)
    for path in out.rglob("*.json"):
        text = path.read_text(encoding="utf-8").replace("f" * 64, data * 64)
        path.write_text(text.replace('"name": "discs"', f'"name": "discs {data}"'), encoding="utf-8")
    return out


@pytest.fixture
def agreeing(tmp_path: Path) -> list[Path]:
    return [scores(tmp_path / "a", UP, "a"), scores(tmp_path / "b", UP, "b", images=20, seeds=2)]


@pytest.fixture
def opposed(tmp_path: Path) -> list[Path]:
    return [scores(tmp_path / "a", UP, "a"), scores(tmp_path / "b", DOWN, "b")]


def slow_ranks(of_rows: np.ndarray) -> np.ndarray:
    """How many are better, and half of those that are equal."""
    ranks = np.zeros_like(of_rows)
    for place in np.ndindex(of_rows.shape):
        same = of_rows[:, place[1], place[2]]
        ranks[place] = 1 + sum(same > of_rows[place]) + 0.5 * (sum(same == of_rows[place]) - 1)
    return ranks


def test_ranks_are_those_of_a_slow_loop() -> None:
    values = np.random.default_rng(0).integers(0, 4, (5, 6, 3)) / 4
    assert np.array_equal(image_ranks(values), slow_ranks(values))


def test_mean_ranks_count_each_data_set_once(agreeing: list[Path]) -> None:
    across = collect_sets(agreeing, "table1")
    assert [one.scores.shape[1:] for one in across.sets] == [(15, 3), (20, 2)]
    together = rank(across)
    for place in range(len(across.labels)):
        means = [slow_ranks(one.scores)[place].mean() for one in across.sets]
        assert together.means[place] == pytest.approx(sum(means) / 2)
        low, high = together.intervals[place]
        assert low <= together.means[place] <= high


def test_the_made_up_winner_is_found_and_the_order_is_the_same(agreeing: list[Path]) -> None:
    across = collect_sets(agreeing, "table1")
    rankings = {one.name: rank(only(across, place)) for place, one in enumerate(across.sets)}
    for ranking in (*rankings.values(), rank(across)):
        assert [across.labels[place] for place in ranking.order[:2]] == ["PCTrans", "Mask2Former"]
        first, second = ranking.order[:2]
        (pair,) = [pair for pair in ranking.pairs if {pair.first, pair.second} == {first, second}]
        assert pair.sign == (1 if pair.first == first else -1)
        assert abs(pair.effect) == pytest.approx(0.1, abs=0.03)
        assert ranking.friedman < 1e-6
    assert not any("Significant both ways" in sentence for sentence in sentences(across, rankings))


def test_opposed_orders_are_named(opposed: list[Path]) -> None:
    across = collect_sets(opposed, "table1")
    rankings = {one.name: rank(only(across, place)) for place, one in enumerate(across.sets)}
    said = sentences(across, rankings)
    assert said[0].startswith("The order is not the same")
    assert any("Significant both ways: Mask2Former and PCTrans" in sentence for sentence in said)
    together = rank(across)
    places = [across.labels.index(label) for label in ("Mask2Former", "PCTrans")]
    (pair,) = [pair for pair in together.pairs if [pair.first, pair.second] == places]
    assert pair.sign == 0
    matrix = significance(across.labels, together)
    assert matrix.loc["PCTrans", "Mask2Former"] == matrix.loc["Mask2Former", "PCTrans"] == 1
    assert matrix.loc["PCTrans", "OSFormer"] == 0


def test_one_set_has_the_interval_of_a_difference() -> None:
    values = np.random.default_rng(1).normal(size=(12, 3))
    assert crossed_interval(values) == paired_difference(values).interval == interval_over_sets([values])


def test_two_sets_are_drawn_independently() -> None:
    """Of two sets with the same values the variance halves; drawn together it would stay."""
    values = np.random.default_rng(1).normal(size=(40, 1))
    one, two = interval_over_sets([values]), interval_over_sets([values, values])
    assert (two.high - two.low) / (one.high - one.low) == pytest.approx(0.5**0.5, rel=0.05)


def test_files(opposed: list[Path], tmp_path: Path) -> None:
    across = collect_sets(opposed, "table1")
    paths = write_across(across, tmp_path / "out")
    assert list(paths.rankings)[-1] == "together"
    lines = list(csv.DictReader(paths.csv.open(encoding="utf-8")))
    rows = len(across.labels)
    assert len(lines) == 3 * rows * (rows - 1) // 2
    assert paths.picture.stat().st_size > 10_000
    assert "Kendall" in paths.markdown.read_text(encoding="utf-8")


def test_the_same_data_twice_are_refused(tmp_path: Path) -> None:
    twice = [scores(tmp_path / name, UP, "a") for name in "ab"]
    with pytest.raises(UserError, match="the same data"):
        collect_sets(twice, "table1")


@pytest.mark.parametrize("order", [1, -1])
def test_parts_of_the_same_data_are_refused(tmp_path: Path, order: int) -> None:
    """They are tested on the same images, which would count twice."""
    folders = [scores(tmp_path / data, UP, data) for data in "ab"]
    plan = folders[1] / "runs/table1.json"
    plan.write_text(
        plan.read_text(encoding="utf-8").replace("folder:/b", "folder:/a?train-share=1/8"), encoding="utf-8"
    )
    with pytest.raises(UserError, match="parts of the same data"):
        collect_sets(folders[::order], "table1")


def test_a_metric_without_a_direction_is_refused(agreeing: list[Path]) -> None:
    with pytest.raises(UserError, match="can be ranked by"):
        collect_sets(agreeing, "table1", "dic")


def test_less_is_better_where_the_metric_says_so(agreeing: list[Path]) -> None:
    across = collect_sets(agreeing, "table1", "abs_dic")
    raw = across.sets[0].rows[0].results[0].images[0]["abs_dic"]
    assert across.sets[0].scores[0].min() <= -raw <= 0


def test_command(agreeing: list[Path], tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["compare", *map(str, agreeing), "--out", str(tmp_path / "c")])
    assert outcome.exit_code == 0, outcome.output
    assert (tmp_path / "c/table1_compare.md").exists()
    with pytest.raises(UserError, match="No table"):
        CliRunner().invoke(app, ["compare", str(tmp_path)], catch_exceptions=False)
