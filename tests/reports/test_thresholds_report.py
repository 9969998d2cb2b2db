"""Reports on thresholds that were chosen after training."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from synthesis import edit_result

from reports.collect import collect
from reports.html.page import write_html
from reports.table import write_table
from reports.thresholds import NONE, describe_values, threshold_rule, threshold_table


def choice(values: dict[str, float | None], before: float, after: float, split: str = "val") -> dict[str, Any]:
    configured = {"values": dict.fromkeys(values, 0.5), "pq": before}
    chosen = {"values": values, "pq": after}
    return {
        "split": split,
        "images": 16,
        "searched": {name: [0.1, 0.9] for name in values},
        "trials": [configured, chosen],
        "seconds": 3.5,
        "configured": configured,
        "chosen": chosen,
    }


def test_every_job_that_chose_has_a_line(three_seeds: Path) -> None:
    for row in (1, 8):
        for seed in range(3):
            values: dict[str, float | None] = {
                "binarise_threshold": 0.1 * row / 8 + seed / 10,
                "mask_threshold": 0.4567,
            }
            edit_result(three_seeds, f"table4-row{row}-seed{seed}", "thresholds", choice(values, 0.71234, 0.75678))
    results = collect(three_seeds, "table4")
    headings, lines = threshold_table(results)
    assert headings[2:] == ["seed", "chosen", "PQ as configured", "PQ as chosen", "change"]
    assert [line[0] for line in lines] == ["1"] * 3 + ["8"] * 3
    assert lines[-1][2:] == ["2", "binarise 0.3, mask 0.457", "0.7123", "0.7568", "+0.0444"]
    rule = threshold_rule(results)
    assert "of 2 settings" in rule and "16 images of the validation split" in rule
    assert "Tested as configured: row 2 (" in rule and "row 8" not in rule
    markdown = write_table(results, three_seeds).markdown.read_text()
    assert "## Thresholds" in markdown
    assert re.search(r"\| 2 +\| binarise 0\.3, mask 0\.457 +\| 0\.7123 +\| 0\.7568 +\| \+0\.0444 +\|", markdown)
    page = write_html(three_seeds).read_text()
    assert page.count("binarise 0.3, mask 0.457") == 1 and "16 images of the validation split" in page


def test_training_images_that_chose_are_named(one_seed: Path) -> None:
    edit_result(one_seed, "table4-row1-seed0", "thresholds", choice({"mask_threshold": 0.4}, 0.5, 0.5, "train"))
    rule = threshold_rule(collect(one_seed, "table4"))
    assert "images of the training split" in rule and "chosen on training images" in rule


def test_results_from_before_there_was_a_choice_are_reported(one_seed: Path) -> None:
    results = collect(one_seed, "table4")
    assert threshold_table(results)[1] == [] and threshold_rule(results) == NONE
    markdown = write_table(results, one_seed).markdown.read_text()
    assert f"## Thresholds\n\n{NONE}" in markdown
    edit_result(one_seed, "table4-row1-seed0", "thresholds", None)
    assert threshold_rule(collect(one_seed, "table4")) == NONE


def test_a_value_that_is_left_to_the_method() -> None:
    assert describe_values({"bandwidth": None, "assignment_radius": 1.5}) == "bandwidth default, assignment radius 1.5"
