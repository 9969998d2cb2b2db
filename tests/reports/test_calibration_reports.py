"""Reports of calibration, from objects that are made up: figures by hand, what is left out, the page."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.store.calibration import ImageObjects, write_calibration
from benchmarks.store.job_folder import JobFolder
from reports.calibration import read_calibrated, summary_grid, write_calibration_reports
from reports.calibration.writing import bin_grid, sentences
from reports.collect import collect
from reports.statistics import interval_over_images

RIGHT, WRONG = 0.8, 0.0


def make_up(folder: JobFolder, sure: float, *, scored_again: int = 0) -> None:
    """In every image ten objects at 0.95, nine of them right, and four at `sure`, two of them right; 20 truths."""
    result = folder.read_result()
    assert result is not None
    scores, ious = [0.95] * 10 + [sure] * 4, [RIGHT] * 9 + [WRONG] + [RIGHT, WRONG] * 2
    images = [ImageObjects(id=str(one["id"]), truth=20, scores=scores, ious=ious) for one in result.images]
    write_calibration(folder, result, images, scored_again)


@pytest.fixture
def looked_at(three_seeds: Path) -> Path:
    """Table 4 with rows 7 and 8: by seed, 0.4, 0.45 and 0.5 in place of 0.5."""
    for row, scored_again in ((7, 2), (8, 0)):
        for seed in range(3):
            folder = JobFolder.named(f"table4-row{row}-seed{seed}", three_seeds)
            make_up(folder, 0.4 + 0.05 * seed, scored_again=scored_again)
    return three_seeds


def test_figures_are_those_of_the_made_up_objects(looked_at: Path) -> None:
    table = read_calibrated(collect(looked_at, "table4"), looked_at)
    assert table is not None
    assert [row.row.number for row in table.examined] == [7, 8]
    row = table.examined[0]
    errors = [(10 * 0.05 + 4 * (0.5 - sure)) / 14 for sure in (0.4, 0.45, 0.5)]
    assert [job.error for job in row.jobs] == pytest.approx(errors)
    assert row.error is not None and row.error.mean == pytest.approx(mean(errors))
    assert row.error.std == pytest.approx(stdev(errors))
    # All images are alike, so every draw of them is as well.
    assert tuple(row.error_interval) == pytest.approx((mean(errors), mean(errors)))
    # The precision is 9/10 up to a recall of 9/20, 11/14 up to 11/20, and nothing is found beyond.
    ranked = (46 * 0.9 + 10 * 11 / 14) / 101
    assert row.ranked[0] is not None and row.ranked[0].mean == pytest.approx(ranked)
    # An IoU of 0.8 is above six of ten thresholds.
    assert row.ranked[1] is not None and row.ranked[1].mean == pytest.approx(0.6 * ranked)
    images = len(row.jobs[0].calibration.images)
    assert dict(zip(*[column[:4] for column in (summary_grid(table)[0], summary_grid(table)[1][0])], strict=True)) == {
        "#": "7", table.spec.row_heading: row.row.label, "seeds": "3", "objects": str(3 * 14 * images)
    }  # fmt: skip
    _, lines = bin_grid(row)
    assert [line[0] for line in lines] == ["0.3 to 0.4", "0.4 to 0.5", "0.9 to 1.0"]
    assert lines[1] == ["0.4 to 0.5", str(8 * images), "0.475", "0.500", "0.800"]
    said = " ".join(sentences(table))
    assert "Smallest calibration error" in said and "6 label maps were stored without scores" in said


def test_the_interval_is_over_draws_of_images(looked_at: Path) -> None:
    """Images that differ: against a plain bootstrap of the pooled objects."""
    folder = JobFolder.named("table4-row8-seed0", looked_at)
    result, random = folder.read_result(), np.random.default_rng(0)
    assert result is not None
    images = [
        ImageObjects(id=str(one["id"]), truth=9, scores=random.random(8).tolist(), ious=[RIGHT, WRONG] * 4)
        for one in result.images
    ]
    write_calibration(folder, result, images, 0)
    for seed in (1, 2):
        JobFolder.named(f"table4-row8-seed{seed}", looked_at).calibration.unlink()
    table = read_calibrated(collect(looked_at, "table4"), looked_at)
    assert table is not None
    (row,) = (row for row in table.examined if row.row.number == 8)
    assert len(row.jobs) == 1 and len(row.problems) == 2 and len(table.left_out) > 2
    drawn = []
    for _ in range(4000):
        chosen = random.integers(len(images), size=len(images))
        score = np.concatenate([images[place].scores for place in chosen])
        right = np.concatenate([images[place].ious for place in chosen]) > 0
        place = np.minimum((score * 10).astype(int), 9)
        drawn.append(sum(abs(score[place == b].sum() - right[place == b].sum()) for b in range(10)) / len(score))
    low, high = row.error_interval
    # Percentiles of the reports are widened for few images.
    assert low == pytest.approx(np.quantile(drawn, 0.025), abs=0.03) and low <= np.quantile(drawn, 0.04) + 1e-9
    assert high == pytest.approx(np.quantile(drawn, 0.975), abs=0.03) and high >= np.quantile(drawn, 0.96) - 1e-9


def test_an_interval_of_a_mean_is_that_of_means() -> None:
    values = np.random.default_rng(0).normal(size=20)
    low, high = interval_over_images(lambda weights: weights @ values, 20)
    assert low < values.mean() < high
    spread = values.std(ddof=1) / np.sqrt(20)
    assert (high - low) / spread == pytest.approx(2 * 2.093, rel=0.1)  # Student's t for 20
    assert np.isnan(interval_over_images(lambda weights: weights @ values[:1], 1)).all()


def test_files(looked_at: Path) -> None:
    table = read_calibrated(collect(looked_at, "table4"), looked_at)
    assert table is not None
    paths = write_calibration_reports(table, looked_at)
    jobs, bins = (list(csv.DictReader(path.open(encoding="utf-8"))) for path in (paths.csv, paths.bins))
    assert len(jobs) == 6 and len(bins) == 60
    assert float(jobs[1]["ece"]) == table.examined[0].jobs[1].error
    last = bins[9]
    assert (last["above"], last["up_to"], last["right"]) == ("0.9", "1.0", "0.9")
    assert bins[0]["objects"] == "0" and bins[0]["right"] == ""
    assert paths.picture.stat().st_size > 10_000
    text = paths.markdown.read_text(encoding="utf-8")
    assert "0.4 to 0.5" in text and "calibration error" in text


def test_the_page_shows_it_and_says_where_it_is_missing(looked_at: Path) -> None:
    command = ["report", "--out", str(looked_at)]
    table = read_calibrated(collect(looked_at, "table4"), looked_at)
    assert table is not None
    write_calibration_reports(table, looked_at)
    outcome = CliRunner().invoke(app, command)
    assert outcome.exit_code == 0, outcome.output
    page = (looked_at / "reports/index.html").read_text(encoding="utf-8")
    assert "Scores of objects" in page and "Smallest calibration error" in page
    for path in looked_at.glob("jobs/*/calibration.json"):
        path.unlink()
    assert CliRunner().invoke(app, command).exit_code == 0
    page = (looked_at / "reports/index.html").read_text(encoding="utf-8")
    assert "Smallest calibration error" not in page
    assert f"pctrans-bench calibration table4 --out {looked_at}" in page


def test_what_was_measured_of_another_result_is_not_shown(looked_at: Path) -> None:
    path = JobFolder.named("table4-row8-seed1", looked_at).calibration
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "result": "0" * 64, "seal": None}))
    table = read_calibrated(collect(looked_at, "table4"), looked_at)
    assert table is not None
    assert [len(row.jobs) for row in table.examined] == [3, 2]


def test_the_command_repeats_the_reports_where_label_maps_are_not(looked_at: Path) -> None:
    """The other rows have neither label maps nor models: they are named, and the exit status is 1."""
    outcome = CliRunner().invoke(app, ["calibration", "table4", "--out", str(looked_at), "--device", "cpu"])
    assert outcome.exit_code == 1, outcome.output
    assert "full model" in outcome.output and "Row 1 (" in outcome.output
    assert (looked_at / "reports" / "table4_calibration.md").is_file()


def test_without_scores_the_command_says_so(one_seed: Path) -> None:
    outcome = CliRunner().invoke(app, ["calibration", "table4", "--out", str(one_seed), "--device", "cpu"])
    assert outcome.exit_code == 2 or isinstance(outcome.exception, Exception)
    assert "has scores" in str(outcome.exception)
