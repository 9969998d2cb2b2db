from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthesis import edit_result, fail, synthesise_scores

from reports.collect import collect
from reports.layout import FULL, Layout
from reports.notes import LINE, note_of, packed, row_notes, table_notes

KEYS = [f"table4-row{number}-seed0" for number in range(1, 9)]


def text(out: Path) -> str:
    return " ".join(note.text for note in table_notes(collect(out, "table4")))


def test_says_what_was_measured_and_how(one_seed: Path, data: str) -> None:
    said = text(one_seed)
    assert f"Measured: {data}, decoding ids, 600 iterations a row; metrics are means over images." in said
    assert "One seed (0): the spread over seeds is not known." in said
    assert "Made on Test CPU @ 2 GHz (cores: 2, threads: 1)." in said
    assert "±" not in said


def test_says_over_which_seeds(three_seeds: Path) -> None:
    assert "±: standard deviation over seeds (0, 1, 2); the CSV has 95 % intervals over images." in text(three_seeds)


def test_says_what_marks_mean_and_how_they_are_found(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, tables=["table4"])
    said = text(tmp_path)
    assert "▲ / ▼: significantly better / worse than row 8 (full model), on 15 images and 3 seeds." in said
    assert "Wilcoxon signed-rank test of the differences of images" in said
    assert "p < 0.05 after Holm's correction over 28 comparisons (7 rows × 4 metrics), and interval beyond 0." in said
    assert "95 % paired bootstrap of the difference, over images and seeds." in said
    assert "other trainings" not in said


def test_says_how_many_in_words_that_fit(three_seeds: Path) -> None:
    for number in range(1, 7):
        for seed in range(3):
            fail(three_seeds, f"table4-row{number}-seed{seed}", "x")
    assert "4 comparisons (1 row × 4 metrics)" in text(three_seeds)


def test_says_what_one_seed_and_few_images_cannot_tell(one_seed: Path) -> None:
    said = text(one_seed)
    assert "on 3 images and 1 seed." in said
    assert "the difference, over images. With one seed, marks are about these trained networks" in said
    assert "So few images cannot give p < 0.05: nothing can be marked." in said


def test_says_what_rows_were_not_made_alike(one_seed: Path) -> None:
    assert "NOT made alike" not in text(one_seed)
    for key in KEYS:
        edit_result(
            one_seed, key, "environment", {"device": "cuda:1", "torch": "2.13.0+cu130", "transformers": "5.23.0"}
        )
    assert "NOT made alike" not in text(one_seed)
    edit_result(one_seed, KEYS[1], "environment", {"device": "cpu", "torch": "2.13.0+cpu", "transformers": "5.17.0"})
    said = text(one_seed)
    assert "Rows were NOT made alike: device cuda (rows 1, 3, 4, 5, 6, 7, 8), cpu (row 2)." in said
    assert "Rows were NOT made alike: transformers 5.23.0 (rows 1, 3, 4, 5, 6, 7, 8), 5.17.0 (row 2)." in said
    assert "torch 2" not in said


def test_says_when_nothing_is_compared(one_seed: Path) -> None:
    edit_result(one_seed, "table4-row2-seed0", "job.data.fingerprint", "0")
    assert "'dynamic filters' and 'full model' cannot be paired: they were tested on different data." in text(one_seed)
    fail(one_seed, KEYS[7], "x")
    said = text(one_seed)
    assert "No row is compared with row 8 (full model), which has no result." in said
    assert "▲" not in said


def test_says_every_reason_against_a_comparison_first(one_seed: Path) -> None:
    first, second, *others = (note.text for note in table_notes(collect(one_seed, "table4")))
    assert first.startswith("Not comparable with published: the data are not BBBC039V1; ")
    assert second.startswith("Nor comparable: ")
    for reason in ("scale is quick, not paper", "iterations is 600, not 30000", "backbone is resnet18, not resnet50"):
        assert reason in first + second
    assert "no pretrained backbone." in second + others[0]


def test_says_so_where_the_figures_compare(one_seed: Path) -> None:
    paper = {
        "dataset.spec": "bbbc039:/data?decoding=pea",
        "dataset.decoding": "pea",
        "job.scale": "paper",
        "cost.iterations": 30000,
        "job.testing": {"tile": 1024},
        "job.model.backbone": {"name": "resnet50", "pretrained": "microsoft/resnet-50"},
    }
    for key in KEYS:
        for path, value in paper.items():
            edit_result(one_seed, key, path, value)
    assert "Data, decoding and schedule are those of the published figures." in text(one_seed)
    edit_result(one_seed, KEYS[3], "dataset.decoding", "official")
    said = text(one_seed)
    assert said.startswith("Not comparable with published: decoding is pea / official, not pea.")
    assert "are those of the published figures" not in said


def test_mixed_machines_are_all_named(one_seed: Path) -> None:
    edit_result(one_seed, KEYS[2], "environment", {"cpu": "Other", "cores": 8, "threads": 8, "accelerator": "H200"})
    assert "threads: 1) / H200, Other (cores: 8, threads: 8)." in text(one_seed)


def test_without_any_result_says_why(one_seed: Path) -> None:
    for key in KEYS:
        fail(one_seed, key, "x")
    rows = [note.row for note in table_notes(collect(one_seed, "table4"))]
    assert rows[:8] == list(range(1, 9))
    assert "Measured" not in text(one_seed)


def test_notes_name_the_job_and_the_seeds_left(three_seeds: Path) -> None:
    fail(three_seeds, "table4-row2-seed1", "out of memory")
    row = collect(three_seeds, "table4").rows[1]
    assert row_notes(row, ["pq"]) == ["2 of 3 seeds: failed: RuntimeError: out of memory (job table4-row2-seed1)."]


def test_notes_name_a_metric_that_came_after_the_results(three_seeds: Path) -> None:
    edit_result(three_seeds, "table4-row2-seed1", "metrics", {"pq": 0.5})
    row = collect(three_seeds, "table4").rows[1]
    assert row_notes(row, ["pq"]) == []
    (said,) = row_notes(row, ["pq", "sq"])
    assert said.startswith("1 of 3 results have no SQ, which was added after them: `pctrans-bench rescore`")


def test_names_what_the_user_changed(one_seed: Path) -> None:
    path = one_seed / "runs" / "table4.json"
    run = json.loads(path.read_text())
    path.write_text(json.dumps(run | {"overrides": {"training": {"iterations": 5}, "testing": {"flips": True}}}))
    said = text(one_seed)
    assert "Changed from the scale's settings: training.iterations=5; testing.flips=true." in said
    assert "Not comparable with published: settings were changed" in said


def test_names_pictures_that_are_in_two_splits(one_seed: Path) -> None:
    assert "LEAK" not in text(one_seed)
    path = one_seed / "runs" / "table4.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    pairs = [f"test/{number} = train/{number} (the same pixels)" for number in range(5)]
    path.write_text(json.dumps(run | {"leaks": pairs}), encoding="utf-8")
    said = text(one_seed)
    assert f"LEAK: the same picture is in two splits, so figures may flatter: {pairs[0]}" in said
    assert f"{pairs[2]}; and 2 more." in said
    assert pairs[3] not in said


def test_are_numbered_and_those_of_rows_are_found_by_them(three_seeds: Path) -> None:
    fail(three_seeds, "table4-row2-seed1", "out of memory")
    results = collect(three_seeds, "table4")
    notes = table_notes(results)
    assert [note.number for note in notes] == list(range(1, len(notes) + 1))
    mark = note_of(notes, results.rows[1])
    assert mark is not None and notes[mark - 1].text.startswith(
        "Row 2: 2 of 3 seeds: failed: RuntimeError: out of memory"
    )
    assert note_of(notes, results.rows[0]) is None


@pytest.mark.parametrize("seeds", [1, 3])
def test_each_is_one_line(tmp_path: Path, seeds: int) -> None:
    """Of those that this program words; what a user named may be longer."""
    synthesise_scores(tmp_path, tables=["table1", "table4"], seeds=seeds)
    for table in ("table1", "table4"):
        assert [note.text for note in table_notes(collect(tmp_path, table)) if len(note.text) > LINE + 3] == []


def test_a_layout_without_published_figures_or_marks_explains_neither(one_seed: Path) -> None:
    results = collect(one_seed, "table4")
    said = [note.text for note in table_notes(results, Layout(paper=True, published="none"))]
    assert not any("ublished" in text or "▲" in text for text in said)
    assert any("Measured: " in text for text in said)
    assert len(table_notes(results, Layout(paper=True, published="block"))) > len(said)
    assert len(table_notes(results, FULL)) > len(said)


def test_packed_loses_no_item_and_cuts_none() -> None:
    items = [f"reason {number} of several" for number in range(30)]
    lines = packed("Because:", items, "Also:")
    assert lines[0].startswith("Because: reason 0") and all(line.startswith("Also: ") for line in lines[1:])
    assert all(len(line) <= LINE for line in lines)
    joined = "; ".join(line.removeprefix("Because: ").removeprefix("Also: ").removesuffix(".") for line in lines)
    assert joined.split("; ") == items
    assert packed("Because:", [], "Also:") == []
    assert packed("Because:", ["x" * 500], "Also:") == [f"Because: {'x' * 500}."]
