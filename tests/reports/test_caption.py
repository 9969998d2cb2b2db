from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from synthesis import edit_result, fail, synthesise_scores

from benchmarks.plan.tables import list_tables
from reports.caption import caption
from reports.collect import collect


def test_says_data_scale_and_seeds_after_the_papers_sentence(one_seed: Path, data: str) -> None:
    results = collect(one_seed, "table4")
    truths = [image["truth"] for image in results.results[0].images]
    for number in range(1, 9):
        edit_result(one_seed, f"table4-row{number}-seed0", "dataset.name", "discs")
    said = caption(collect(one_seed, "table4"))
    counts = f"({len(truths)} images, {sum(truths)} instances)"
    assert said == f"{results.spec.caption} discs test {counts}, scale quick, seed 0."


def test_several_seeds(three_seeds: Path) -> None:
    assert caption(collect(three_seeds, "table4")).endswith("scale quick, mean ± std over 3 seeds (0, 1, 2).")


def test_with_no_result_at_all(one_seed: Path) -> None:
    for number in range(1, 9):
        fail(one_seed, f"table4-row{number}-seed0", "x")
    assert caption(collect(one_seed, "table4")).endswith("Measured: nothing yet.")


@pytest.mark.parametrize("table", list_tables())
def test_has_three_lines_at_most(tmp_path: Path, table: str) -> None:
    """On a page a line has some 105 characters; with a long name of the data and with many seeds, too."""
    synthesise_scores(tmp_path, tables=[table], seeds=7, images=2)
    results = collect(tmp_path, table)
    for result in results.results:
        edit_result(tmp_path, result.key, "dataset.name", "a-data-set-with-a-name-" + 10 * "long-")
    assert len(textwrap.wrap("Table 4: " + caption(collect(tmp_path, table)), 100)) <= 3
