from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from synthesis import edit_result, fail, synthesise_scores

from reports.cells import metric_columns
from reports.collect import collect
from reports.comparisons import compare
from reports.console import render_console
from reports.frame import to_frame
from reports.layout import FULL, Layout
from reports.markdown import table_markdown
from reports.markdown_text import escape
from reports.pairing import image_means
from reports.pictures import Picture
from reports.statistics import mean_interval
from reports.table import ReportPaths, write_table

PAPER, COLUMN, BLOCK = (Layout(paper=True, published=where) for where in ("none", "column", "block"))


def write(out: Path) -> ReportPaths:
    return write_table(collect(out, "table4"), out)


def printed(out: Path, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(render_console(collect(out, "table4")))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_every_report_is_written(one_seed: Path) -> None:
    paths = write(one_seed)
    assert {path.name for path in (one_seed / "reports").iterdir()} == {
        "table4.tex",
        "table4_costs.tex",
        "table4_document.tex",
        "table4.md",
        "table4.csv",
        "table4_segmentations.png",
        "table4_learning.png",
    }
    assert set(paths.files) == set((one_seed / "reports").iterdir())
    for picture in (paths.segmentations, paths.learning):
        assert picture.path is not None
        assert rf"\includegraphics[width=\linewidth]{{{picture.path.name}}}" in paths.document.read_text()
        assert f"]({picture.path.name})" in paths.markdown.read_text()


def test_every_number_comes_from_the_result_files(one_seed: Path) -> None:
    """A figure that no other cell has, put into one result.json, appears in every report; the old one is gone."""
    old = f"{collect(one_seed, 'table4').rows[4].results[0].metrics['f1']:.4f}"
    edit_result(one_seed, "table4-row5-seed0", "metrics.f1", 0.123449)
    edit_result(one_seed, "table4-row5-seed0", "cost.parameters", 7654321)
    paths = write(one_seed)
    assert paths.tex.read_text().count("0.1234") == 1
    assert paths.markdown.read_text().count("0.1234") == 1
    assert "7,654,321" in paths.markdown.read_text()
    assert printed(one_seed).count("0.1234") == 1
    frame = pd.read_csv(paths.csv)
    assert frame.loc[4, "f1_mean"] == 0.123449
    assert frame.loc[4, "parameters"] == 7654321
    assert old not in paths.tex.read_text().split(r"\midrule")[1].splitlines()[5]


def test_reports_do_not_change_with_the_next_call(one_seed: Path) -> None:
    first = {path: path.read_bytes() for path in write(one_seed).files}
    assert {path: path.read_bytes() for path in write(one_seed).files} == first


def test_without_the_data_everything_but_the_picture(one_seed: Path) -> None:
    for number in range(1, 9):
        edit_result(one_seed, f"table4-row{number}-seed0", "dataset.spec", "folder:/nowhere")
    paths = write(one_seed)
    assert paths.segmentations.path is None
    assert "/nowhere" in paths.segmentations.caption
    assert "segmentations.png" not in paths.document.read_text()
    assert "/nowhere" in paths.markdown.read_text()


def test_without_predictions_everything_but_the_picture(one_seed: Path) -> None:
    for folder in (one_seed / "jobs").iterdir():
        shutil.rmtree(folder / "predictions")
    paths = write(one_seed)
    assert paths.segmentations.path is None
    assert "table4-row1-seed0" in paths.segmentations.caption


def test_frame_by_hand(three_seeds: Path) -> None:
    for seed, value in enumerate((0.1, 0.2, 0.6)):
        edit_result(three_seeds, f"table4-row1-seed{seed}", "metrics.pq", value)
        edit_result(three_seeds, f"table4-row1-seed{seed}", "cost.train_seconds", 10.0 * seed)
        edit_result(three_seeds, f"table4-row1-seed{seed}", "cost.peak_memory_bytes", 100 * seed)
        edit_result(three_seeds, f"table4-row1-seed{seed}", "cost.seconds_per_image", None)
    frame = pd.read_csv(write(three_seeds).csv)
    first = frame.iloc[0]
    assert first["pq_mean"] == pytest.approx(0.3, abs=1e-15)
    assert first["pq_std"] == pytest.approx(np.std([0.1, 0.2, 0.6], ddof=1))
    assert first["pq_seeds"] == 3
    assert first["pq_published"] == 0.8011
    assert first["pq_difference"] == pytest.approx(0.3 - 0.8011)
    assert (first["train_seconds"], first["peak_memory_bytes"]) == (10, 200)
    assert np.isnan(first["seconds_per_image"])
    assert first["seeds"] == "0 1 2"
    assert first["jobs"] == "table4-row1-seed0 table4-row1-seed1 table4-row1-seed2"
    assert frame["dynamic_filters"].tolist() == [False] + [True] * 7
    assert {"aji_plus_mean", "sq_mean", "ap_mean"} <= set(frame)


def test_frame_has_intervals_and_comparisons(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, {"table4": {"no components": -0.1}}, tables=["table4"])
    results = collect(tmp_path, "table4")
    frame = pd.read_csv(io.StringIO(to_frame(results).to_csv(index=False)))
    line, comparison = frame.iloc[0], compare(results.rows[0], results.rows[7], "pq")
    means = list(image_means(results.rows[0], "pq").values())
    assert (line["pq_ci_low"], line["pq_ci_high"]) == pytest.approx(mean_interval(means))
    assert line["pq_ci_low"] < line["pq_mean"] < line["pq_ci_high"]
    assert line["pq_reference_effect"] == pytest.approx(comparison.effect)
    assert (line["pq_reference_low"], line["pq_reference_high"]) == pytest.approx((comparison.low, comparison.high))
    assert line["pq_reference_p"] == pytest.approx(comparison.p)
    assert line["pq_reference_p_holm"] == pytest.approx(28 * comparison.p)  # the least of 28
    assert line["pq_reference_high"] < 0  # positive would be better than the reference
    reference = frame.iloc[7]
    assert reference[[name for name in frame if "_reference_" in name]].isna().all()
    assert reference["pq_ci_low"] < reference["pq_mean"]
    assert {"sq_ci_low", "ap_ci_high"} <= set(frame)
    assert not {"sq_reference_p", "ap_reference_p"} & set(frame)


def test_one_image_has_no_interval(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, tables=["table4"], images=1)
    frame = to_frame(collect(tmp_path, "table4"))
    assert frame[["pq_ci_low", "pq_ci_high", "pq_reference_low", "pq_reference_high"]].isna().all(axis=None)
    assert frame["pq_reference_p"][:7].eq(1).all()


def test_markdown_and_console_mark_what_is_significant(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, {"table4": {"full model": 0.1}}, tables=["table4"])
    none = Picture(None, "")
    lines = table_markdown(collect(tmp_path, "table4"), [], none, none).splitlines()
    first, last = (next(line for line in lines if line.startswith(f"| {number}")) for number in (1, 8))
    assert (first.count("▼"), last.count("▼")) == (4, 0)
    assert printed(tmp_path, 120).count("▼") == 7 * 4 + 1  # and once in the caption


def test_a_gap_is_a_dash_with_its_reason(one_seed: Path) -> None:
    fail(one_seed, "table4-row6-seed0", "no | more <b>memory</b>")
    paths = write(one_seed)
    row = next(line for line in paths.markdown.read_text().splitlines() if line.startswith("| 6"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[8:] == ["0.8921", "-", "-", "0.9605", "-", "-", "0.9570", "-", "-", "0.8790", "-", "-"]
    assert r"4. Row 6: failed: RuntimeError: no \| more \<b\>memory" in paths.markdown.read_text()
    line = pd.read_csv(paths.csv).iloc[5]
    assert np.isnan(line["pq_mean"])
    assert line["pq_seeds"] == 0
    assert line["pq_published"] == 0.8790
    assert "no | more" in line["gaps"]
    assert cells[1] == r"\+ QEC loss <sup>4</sup>"
    assert "4 Row 6: failed: RuntimeError: no | more <b>memory</b>" in printed(one_seed)


def test_markdown_bold_is_best(one_seed: Path) -> None:
    for number in range(1, 9):
        edit_result(one_seed, f"table4-row{number}-seed0", "metrics.dice", 0.9 - 0.1 * number)
    none = Picture(None, "")
    text = table_markdown(collect(one_seed, "table4"), [], none, none)
    row = next(line for line in text.splitlines() if line.startswith("| 1"))
    assert "**0.8000**" in row
    assert "**0.9634**" in next(line for line in text.splitlines() if line.startswith("| 7"))


def test_markdown_escape() -> None:
    assert escape("a_b | <x>\n# `c`") == r"a\_b \| \<x\> \# \`c\`"


def test_a_narrow_terminal_shows_labels_and_spreads(three_seeds: Path) -> None:
    """A mean with its spread beside it left no room for the rows' names in 80 columns."""
    text = printed(three_seeds, width=80)
    assert all(row.label in text for row in collect(three_seeds, "table4").rows)
    assert len(re.findall(r"± \d\.\d{4}", text)) == 8 * 4


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_digit_is_cut_on_any_terminal(three_seeds: Path, width: int) -> None:
    results = collect(three_seeds, "table4")
    text = printed(three_seeds, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for column in metric_columns(results):
        for measured in filter(None, column.measured):
            mean, _, spread = measured.partition(" ± ")
            assert mean in text and f"± {spread}" in text


@pytest.mark.parametrize(("layout", "published"), [(FULL, 1), (PAPER, 0), (COLUMN, 1), (BLOCK, 1)])
def test_every_layout_shows_every_measured_figure_once(one_seed: Path, layout: Layout, published: int) -> None:
    for number in range(1, 9):
        edit_result(one_seed, f"table4-row{number}-seed0", "metrics.pq", 0.12340 + 1e-4 * number)
    paths = write_table(collect(one_seed, "table4"), one_seed, layout)
    console = Console(file=io.StringIO(), width=100)
    console.print(render_console(collect(one_seed, "table4"), layout))
    for text in (paths.tex.read_text(), paths.markdown.read_text(), console.file.getvalue()):  # type: ignore[attr-defined]
        for number in range(1, 9):
            assert text.count(f"0.{1234 + number}") == 1
        assert text.count("0.8141") == published  # the paper's PQ of row 2
        assert ("difference" in text.partition("## Thresholds")[0].lower()) <= (layout == FULL)


def test_console_shows_both_figures_and_survives_markup(one_seed: Path) -> None:
    edit_result(one_seed, "table4-row1-seed0", "environment.cpu", "[bold]CPU[/nonsense]")
    edit_result(one_seed, "table4-row1-seed0", "metrics.aji", 0.4321)
    text = printed(one_seed, width=80)
    assert "0.4321" in text
    assert "0.7671" in text
    assert "[bold]CPU[/nonsense]" in text


def test_a_label_that_looks_like_a_formula_is_text_in_the_csv(tmp_path: Path) -> None:
    synthesise_scores(tmp_path, tables=["table4"])
    with write(tmp_path).csv.open(newline="", encoding="utf-8") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    assert "'+ coordinates" in labels and "full model" in labels
