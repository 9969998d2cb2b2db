"""How many seeds a run needs, before it is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthesis import synthesise_scores
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.errors import UserError
from reports.collect import collect
from reports.comparisons import against_reference
from reports.detectable import Scatter, images_needed, seeds_needed, smallest
from reports.power import Design, conclusion, from_results, required

PARTS = Scatter(0.01, 0.004, 0.02)


def invoke(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["power", *map(str, arguments)])
    if isinstance(result.exception, UserError):
        assert code == 2, result.exception
        return str(result.exception)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesise_scores(tmp_path_factory.mktemp("pilot"), tables=["table4"], seeds=2, images=20)


def test_a_plan_from_numbers() -> None:
    output = invoke(
        *("--difference", 0.01, "--images", 40, "--image-sd", 0.01, "--seed-sd", 0.004, "--residual-sd", 0.02),
        *("--comparisons", 4),
    )
    alpha = 0.05 / 4
    assert f"{smallest(PARTS, 40, 3, alpha):.4f}" in output
    seeds, images = seeds_needed(PARTS, 40, alpha, 0.01), images_needed(PARTS, 3, alpha, 0.01)
    assert seeds is not None and seeds > 3
    assert f"{seeds} seeds on these images do." in output and str(images) in output


def test_a_plan_from_a_pilot(pilot: Path) -> None:
    """Of every row against the reference, with the pilot's scatter and the seeds and images of the plan."""
    results = collect(pilot, "table4")
    found = from_results(results, "aji", 0.02, images=100, seeds=5)
    against = against_reference(results)
    assert [one.label for one in found] == [row.label for row in results.rows[:7]]
    for one, row in zip(found, results.rows[:7], strict=True):
        comparison = against.comparisons[row.number, "aji"]
        assert (one.scatter, one.design) == (comparison.parts, Design(100, 5, comparison.family, 0.02))
        assert one.detectable == smallest(comparison.parts, 100, 5, 0.05 / comparison.family)
    output = invoke("table4", "--out", pilot, "--difference", 0.02, "--metric", "aji", "--images", 100, "--seeds", 5)
    assert conclusion(found) in output
    assert all(f"{one.detectable:.4f}" in output for one in found)
    assert {one.design.family for one in from_results(results, "pq", 0.02, family=3)} == {3}


def test_conclusions() -> None:
    able = required("a", PARTS, Design(40, 3, 1, 0.05))
    assert conclusion([able]) == "40 images and 3 seeds find a difference of 0.05 with 80 % power."
    assert conclusion([able, able]).endswith("in every comparison.")
    unable = required("b", PARTS, Design(40, 3, 1, 0.001))
    assert conclusion([unable]).endswith("on these images no number of seeds up to 32 does.")
    assert "find a difference of 0.001 with 80 % power in 0 of 2 comparisons" in conclusion([unable, unable])
    unknown = required("c", PARTS, Design(40, 1, 1, 0.001), seeds_known=False)
    assert unknown.seeds is None and "one seed does not tell" in conclusion([unknown])


def test_what_cannot_be_planned(pilot: Path, tmp_path: Path) -> None:
    assert "How differences scatter is not known" in invoke("--difference", 0.01, code=2)
    assert "How differences scatter is not known" in invoke("--difference", 0.01, "--image-sd", 0.1, code=2)
    assert "more than 0" in invoke("--difference", 0, "--image-sd", 0.1, "--images", 9, code=2)
    assert "either says" in invoke("table4", "--out", pilot, "--difference", 0.01, "--seed-sd", 0.1, code=2)
    assert "--metric is of a table" in invoke(
        "--difference", 0.1, "--metric", "pq", "--image-sd", 0.1, "--images", 9, code=2
    )
    assert "choose one of aji, dice, f1, pq" in invoke(
        "table4", "--out", pilot, "--difference", 0.01, "--metric", "sbd", code=2
    )
    one_seed = synthesise_scores(tmp_path, tables=["table4"], seeds=1, images=8)
    assert "have one seed" in invoke("table4", "--out", one_seed, "--difference", 0.01, "--seeds", 3, code=2)
    assert "unknown" in invoke("table4", "--out", one_seed, "--difference", 0.01)
