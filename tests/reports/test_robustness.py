"""Reports of robustness, from scores that are made up: means by hand, what is left out, the page."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.robustness import CONDITIONS
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.robustness import Condition, write_robustness
from reports.collect import collect
from reports.robustness import read_measured, summary_grid, write_robustness_reports
from reports.robustness.writing import sentences


def score(folder: JobFolder, factor: float) -> None:
    """Under condition i every image has the share factor^(1 + i) of its PQ."""
    result = folder.read_result()
    assert result is not None
    conditions = []
    for place, (kind, strength) in enumerate(CONDITIONS):
        images = [{"id": image["id"], "pq": image["pq"] * factor ** (1 + place)} for image in result.images]
        mean = sum(image["pq"] for image in images) / len(images)
        conditions.append(Condition(kind=kind, strength=strength, metrics={"pq": mean}, images=images))
    write_robustness(folder, result, conditions)


@pytest.fixture
def measured(three_seeds: Path) -> Path:
    """Table 4 with rows 7 and 8 measured, row 8 losing more."""
    for row, factor in ((7, 0.99), (8, 0.9)):
        for seed in range(3):
            score(JobFolder.named(f"table4-row{row}-seed{seed}", three_seeds), factor)
    return three_seeds


def test_means_are_those_of_the_made_up_scores(measured: Path) -> None:
    table = read_measured(collect(measured, "table4"), measured)
    assert table is not None
    assert [row.row.number for row in table.examined] == [7, 8]
    for row, factor in zip(table.examined, (0.99, 0.9), strict=True):
        clean = np.array([result.metrics["pq"] for result in row.row.results])
        assert row.clean is not None
        assert row.clean.mean == pytest.approx(clean.mean())
        assert row.kept == pytest.approx(np.mean([factor ** (1 + place) for place in range(len(CONDITIONS))]))
        fourth = row.curve("noise")[4]
        assert fourth.mean == pytest.approx(factor**4 * clean.mean())
        assert fourth.std == pytest.approx(factor**4 * clean.std(ddof=1))
    assert "Keeps most of its own PQ: " + table.examined[0].row.label in " ".join(sentences(table))


def test_differences_are_of_each_image_over_all_conditions(measured: Path) -> None:
    table = read_measured(collect(measured, "table4"), measured)
    assert table is not None
    (found,) = table.against_reference()
    means = [np.mean([job.result.metrics["pq"] for job in row.jobs]) * (row.kept or 0) for row in table.examined]
    assert found.effect == pytest.approx(means[0] - means[1])


def test_files(measured: Path) -> None:
    table = read_measured(collect(measured, "table4"), measured)
    assert table is not None
    paths = write_robustness_reports(table, measured)
    lines = list(csv.DictReader(paths.csv.open(encoding="utf-8")))
    assert len(lines) == 2 * 3 * (4 + len(CONDITIONS))
    blurred = next(line for line in lines if (line["kind"], line["strength"]) == ("blur", "5"))
    assert blurred["parameter"] == "6"
    assert paths.picture.stat().st_size > 10_000
    text = paths.markdown.read_text(encoding="utf-8")
    for _, cells in zip((7, 8), summary_grid(table)[1], strict=True):
        assert cells[3] in text
    assert "not measured" in text


def test_one_condition_less_is_not_measured(measured: Path) -> None:
    path = JobFolder.named("table4-row8-seed1", measured).robustness
    content = json.loads(path.read_text())
    content["conditions"].pop()
    content.pop("seal")
    path.write_text(json.dumps(content))
    table = read_measured(collect(measured, "table4"), measured)
    assert table is not None
    assert [len(row.jobs) for row in table.examined] == [3, 2]


def test_the_page_shows_it_and_says_where_it_is_missing(measured: Path) -> None:
    table = read_measured(collect(measured, "table4"), measured)
    assert table is not None
    write_robustness_reports(table, measured)
    outcome = CliRunner().invoke(app, ["report", "--out", str(measured)])
    assert outcome.exit_code == 0, outcome.output
    page = (measured / "reports/index.html").read_text(encoding="utf-8")
    assert "On worse images" in page
    assert "Keeps most of its own PQ" in page


def test_without_models_the_command_says_so(one_seed: Path) -> None:
    outcome = CliRunner().invoke(app, ["robustness", "table4", "--out", str(one_seed)])
    assert outcome.exit_code == 2 or isinstance(outcome.exception, Exception)
    assert "can be measured" in str(outcome.exception)
