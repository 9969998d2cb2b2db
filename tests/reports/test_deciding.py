"""Undecided claims say whether the run could have decided them, and what would."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from synthesis import synthesise_scores

from benchmarks.plan.tables import load_table
from reports.claims import evaluate_claims
from reports.claims.deciding import NOTABLE, Question, describe, undecided_notes
from reports.claims.specification import Better, Close, NoGain
from reports.claims.verdicts import PartVerdict
from reports.collect import collect
from reports.comparisons import Comparison
from reports.detectable import Scatter, images_needed, seeds_needed, smallest
from reports.published import published_figures

PARTS = Scatter(0.02, 0.004, 0.01)
TABLE = load_table("table4")
FULL, OTHER = "full model", "no components"


def comparison(metric: str = "pq", *, parts: Scatter = PARTS, images: int = 30, seeds: int = 3) -> Comparison:
    return Comparison(FULL, OTHER, metric, 0.001, -0.01, 0.01, 0.5, 0.1, images, seeds, parts, p_holm=0.5, family=1)


def test_the_papers_difference_is_what_was_to_be_found(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, tables=["table4"])
    rows = {row.label: row for row in collect(tmp_path, "table4").rows}
    figures = dict(zip([row.label for row in TABLE.rows], published_figures(TABLE), strict=True))
    target = float(figures[FULL]["pq"]) - float(figures[OTHER]["pq"])
    assert target > 0.02
    part = Better(kind="better", row=FULL, than=(OTHER,), metrics=("pq",))
    (note,) = undecided_notes([PartVerdict(part, (comparison(),), True)], rows, TABLE)
    assert note == (
        f"{FULL} vs {OTHER} by PQ: 30 images and 3 seeds find a difference of {smallest(PARTS, 30, 3, 0.05):.4f} with "
        f"80 % power; the paper's difference is {target:.4f}: this run could have decided it."
    )


def test_what_is_too_small_for_the_run_says_how_many_would() -> None:
    one = comparison()
    question = Question(one, "difference", 0.012, "half a point")
    assert not question.decidable
    seeds, images = seeds_needed(PARTS, 30, 0.05, 0.012), images_needed(PARTS, 3, 0.05, 0.012)
    assert seeds is not None and 3 < seeds < 20 and images is not None and 30 < images < 60
    assert describe(question).endswith(
        f"half a point is 0.0120: this run could not decide it. On these images {seeds} seeds would, under these seeds "
        f"{images} images."
    )
    hopeless = describe(Question(one, "difference", 0.0001, "half a point"))
    assert "no number of seeds up to 32 would, under these seeds no number of images up to 100000." in hopeless
    alone = replace(one, seeds=1, parts=Scatter(0.02, 0.0, 0.0))
    assert describe(Question(alone, "difference", 0.001, "half a point")).endswith("other trainings do is not known.")
    few = replace(one, images=4)
    assert "4 images and 3 seeds cannot find a difference, however large" in describe(
        Question(few, "difference", 0.1, "half a point")
    )
    assert math.isinf(few.detectable)


@pytest.mark.parametrize(
    ("part", "aim"),
    [
        (Close(kind="close", row=FULL, to=(OTHER,), metrics=("pq",), margin=0.005, reason=""), "margin"),
        (NoGain(kind="no-gain", row=FULL, over=OTHER, metrics=("pq",), margin=0.005, reason=""), "no gain"),
    ],
)
def test_a_margin_is_judged_by_the_margins_that_are_found(part: Close | NoGain, aim: str) -> None:
    (note,) = undecided_notes([PartVerdict(part, (comparison(),), True)], {}, TABLE)
    assert f"find a margin of {smallest(PARTS, 30, 3, 0.05, aim):.4f}" in note  # type: ignore[arg-type]
    assert "the claim's margin is 0.0050" in note


def test_decided_and_missing_parts_say_nothing() -> None:
    part = Better(kind="better", row=FULL, than=(OTHER,), metrics=("pq",))
    found = replace(comparison(), low=0.001, p_holm=0.001)
    assert list(undecided_notes([PartVerdict(part, (found,), True)], {}, TABLE)) == []
    assert list(undecided_notes([PartVerdict(part, (comparison(),), False)], {}, TABLE)) == []
    still = comparison(parts=Scatter(0.0, 0.0, 0.0))
    assert list(undecided_notes([PartVerdict(part, (still,), True)], {}, TABLE)) == []


def test_the_hardest_speaks_for_a_part(tmp_path: Path) -> None:
    """Without the paper's figures it is half a point that matters; a count has no such unit."""
    part = Better(kind="better", row=FULL, than=(OTHER,), metrics=("pq",))
    synthesise_scores(tmp_path, tables=["table4"])
    rows = {row.label: replace(row, published={}) for row in collect(tmp_path, "table4").rows}
    hard = comparison(parts=Scatter(0.2, 0.04, 0.1))
    (note,) = undecided_notes([PartVerdict(part, (comparison(), hard), True)], rows, TABLE)
    assert note.startswith("2 comparisons are undecided, the hardest first. ")
    assert f"{smallest(hard.parts, 30, 3, 0.05):.4f}" in note and f"half a point is {NOTABLE:.4f}" in note
    assert list(undecided_notes([PartVerdict(part, (comparison("abs_dic"),), True)], rows, TABLE)) == []


def test_every_undecided_claim_has_such_a_sentence(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, tables=["table4", "table8"], images=12)
    undecided = [claim for claim in evaluate_claims(tmp_path).verdicts if claim.verdict == "undecided"]
    assert undecided
    assert all(any("80 % power" in note or "cannot find" in note for note in claim.notes) for claim in undecided)
