"""What kinds of error cost, over rows: against the images' own figures, and as the command says it."""

from __future__ import annotations

import json
import shutil
import statistics
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from synthesis import edit_result, fail
from typer.testing import CliRunner, Result

from benchmarks.cli import app
from benchmarks.data import open_dataset, read_labels
from benchmarks.errors import UserError
from benchmarks.metrics.anatomy import anatomy
from benchmarks.metrics.mending import KINDS, pq_costs
from benchmarks.store.anatomy import SCHEMA, JobErrors
from benchmarks.store.job_folder import JobFolder
from reports.anatomy import DissectedTable, dissect_table, read_dissected, render_anatomy
from reports.anatomy.dissected import DissectedJob, DissectedRow
from reports.anatomy.losses import differences, group_fates, row_losses
from reports.anatomy.panels import error_map
from reports.anatomy.pictures import telling_images
from reports.anatomy.writing import share_grid
from reports.collect import collect
from reports.html import write_html
from reports.statistics import paired_difference


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def dissected(out: Path, table: str = "table4") -> DissectedTable:
    return dissect_table(collect(out, table), out)


def test_shares_of_rows_add_up_to_what_tables_show(three_seeds: Path) -> None:
    results = collect(three_seeds, "table4")
    for row, losses in zip(results.rows, row_losses(dissected(three_seeds)), strict=True):
        assert losses.seeds == 3
        assert losses.pq_lost == pytest.approx(1 - statistics.fmean(row.measured("pq")), abs=1e-12)
        assert losses.ap_lost == pytest.approx(1 - statistics.fmean(row.measured("ap")), abs=1e-12)


def test_differences_are_those_of_the_images(three_seeds: Path, data: str) -> None:
    """The cube of what each image lost, made here from the label maps, by row 3 and the reference, row 8."""
    dataset = open_dataset(data)
    cube = np.zeros((2, 3, 3))
    for place, number in enumerate((3, 8)):
        for seed in range(3):
            for index, id in enumerate(dataset.ids("test")):
                path = JobFolder.named(f"table4-row{number}-seed{seed}", three_seeds).prediction(id)
                counts = anatomy(dataset.load(id).labels, read_labels(path)).counts  # type: ignore[arg-type]
                cube[place, index, seed] = pq_costs(counts).shares["missed"]
    expected = paired_difference(cube[0] - cube[1])
    found = differences(dissected(three_seeds))
    assert len(found.found) == 7 * len(KINDS)
    one = next(one for one in found.found if (one.number, one.kind) == (3, "missed"))
    assert (one.effect, one.low, one.high) == pytest.approx((expected.effect, *expected.interval))
    assert (one.images, one.seeds) == (3, 3)
    assert one.p_holm >= one.p


def test_groups_hold_every_truth_once(one_seed: Path) -> None:
    for row in dissected(one_seed).rows:
        groups = group_fates(row)
        truths = sum(image["truth"] for image in row.jobs[0].result.images)
        assert sum(groups[name].truths for name in groups if name.startswith("size")) == truths
        assert sum(groups[name].truths for name in ("touching", "apart") if name in groups) == truths
        matched = sum(image.errors.truths.get("matched", 0) for image in row.jobs[0].images)
        assert sum(groups[name].matched for name in groups if name.startswith("size")) == matched


def test_reports_are_the_same_from_counts_alone(one_seed: Path) -> None:
    """What a repository keeps of results has no label maps."""
    assert invoke("errors", "table4", "--out", one_seed).exit_code == 0
    reports = [one_seed / "reports" / f"table4_errors.{end}" for end in ("md", "csv")]
    before = [path.read_text() for path in reports]
    for folder in (one_seed / "jobs").iterdir():
        shutil.rmtree(folder / "predictions")
    again = invoke("errors", "table4", "--out", one_seed)
    assert again.exit_code == 0 and "images  none: " in again.output
    assert not (one_seed / "reports" / "table4_error_images.png").exists()
    assert reports[1].read_text() == before[1]
    assert reports[0].read_text().partition("## The most")[0] == before[0].partition("## The most")[0]


def test_the_picture_leaves_out_and_names_rows_without_label_maps(one_seed: Path) -> None:
    assert invoke("errors", "table4", "--out", one_seed).exit_code == 0
    rows = [row for row in dissected(one_seed).rows if row.jobs]
    gone = [row for row in rows if row.row.number in (2, 8)]
    for row in gone:
        shutil.rmtree(one_seed / "jobs" / row.jobs[0].result.key / "predictions")
    assert invoke("errors", "table4", "--out", one_seed).exit_code == 0
    assert (one_seed / "reports" / "table4_error_images.png").exists()
    assert f" Not shown: {', '.join(row.row.label for row in gone)}." in (
        one_seed / "reports" / "table4_errors.md"
    ).read_text().replace("\n", " ")


def test_a_job_without_maps_and_counts_is_named(one_seed: Path) -> None:
    shutil.rmtree(one_seed / "jobs" / "table4-row2-seed0" / "predictions")
    fail(one_seed, "table4-row5-seed0", "out of memory")
    result = invoke("errors", "table4", "--out", one_seed)
    assert result.exit_code == 1
    page = (one_seed / "reports" / "table4_errors.md").read_text()
    assert "job table4-row2-seed0 is left out" in page
    assert "out of memory" in page
    lines = pd.read_csv(one_seed / "reports" / "table4_errors.csv")
    assert sorted(lines["row"].unique()) == [1, 3, 4, 6, 7, 8]
    assert (lines.groupby("row").size() == 3).all()


def test_maps_that_are_no_longer_what_was_scored_are_refused(one_seed: Path) -> None:
    result = collect(one_seed, "table4").results[0]
    images = [image | {"pq": image["pq"] / 2} for image in result.images]
    edit_result(one_seed, result.key, "images", images)
    (problem,) = [problem for _, problem in dissected(one_seed).problems]
    assert problem.key == result.key and "but the result says" in problem.reason
    assert not JobFolder.named(result.key, one_seed).errors.exists()


def test_counts_of_another_result_or_definition_are_measured_anew(one_seed: Path) -> None:
    dissected(one_seed)
    folder = JobFolder.named("table4-row1-seed0", one_seed)
    result = folder.read_result()
    assert result is not None and folder.read_errors(result) is not None
    stored = json.loads(folder.errors.read_text())
    for change in ({"version": 0}, {"key": "other"}, {"images": stored["images"][1:]}):
        folder.errors.write_text(json.dumps(stored | change))
        assert folder.read_errors(result) is None
    assert not dissected(one_seed).problems
    assert json.loads(folder.errors.read_text()) == stored
    folder.errors.write_text("{")
    ((_, problem),) = dissected(one_seed).problems
    assert "errors.json cannot be read" in problem.reason


def test_nothing_to_dissect(one_seed: Path) -> None:
    assert read_dissected(collect(one_seed, "table4"), one_seed) is None
    for folder in (one_seed / "jobs").iterdir():
        shutil.rmtree(folder / "predictions")
    with pytest.raises(UserError, match="No finished job of table4"):
        dissected(one_seed)


def test_telling_images_are_those_where_rows_differ(one_seed: Path) -> None:
    for result in collect(one_seed, "table4").results:
        of_reference = result.key == "table4-row8-seed0"
        pq = {"disc_2": 0.9, "disc_3": 0.2 if of_reference else 0.8, "disc_4": 0.5 if of_reference else 0.6}
        edit_result(one_seed, result.key, "images", [image | {"pq": pq[image["id"]]} for image in result.images])
    results = collect(one_seed, "table4")
    errors = JobErrors(version=SCHEMA, key="any", quartiles=None, images=[])
    rows = [DissectedRow(row, (DissectedJob(row.results[0], errors, ()),), ()) for row in results.rows]
    assert telling_images(DissectedTable(results.spec, tuple(rows)), 2) == ["disc_3", "disc_4"]
    assert telling_images(DissectedTable(results.spec, tuple(rows[:1])), 2) == ["disc_4", "disc_3"]


def test_each_error_has_its_colour() -> None:
    truth = np.array([[1, 1, 1, 1, 0, 2, 2, 0, 3, 3, 4, 4]])
    prediction = np.array([[7, 7, 7, 0, 5, 0, 0, 0, 9, 9, 9, 9]])
    kinds = error_map(truth, prediction, anatomy(truth, prediction))
    expected = ["", "", "", "boundary", "spurious", "missed", "missed", "", *["merged"] * 4]
    assert kinds[0].tolist() == expected


def test_the_terminal_shows_every_row(one_seed: Path) -> None:
    output = invoke("errors", "table4", "--out", one_seed).output
    grid = share_grid(row_losses(dissected(one_seed)), "method")[1]
    for line in grid:
        assert line[2 + len(KINDS) + 1] in output
    assert "Quarters of size end at" in output


def test_nothing_is_wider_than_the_terminal_and_nothing_is_left_out(one_seed: Path) -> None:
    """In a pipe a line stays a line."""
    table = dissected(one_seed)
    headings, lines = share_grid(row_losses(table), table.spec.row_heading)
    shown = {}
    for terminal in (True, False):
        console = Console(width=80, force_terminal=terminal, color_system=None, file=StringIO(), record=True)
        console.print(render_anatomy(table), crop=False)
        shown[terminal] = console.export_text()
    assert max(map(len, shown[True].splitlines())) <= 80 < max(map(len, shown[False].splitlines()))
    for text in shown.values():
        assert all(word in text for heading in headings for word in heading.split())
        assert all(cell in text for line in lines for cell in line[2:])


def test_the_page_shows_what_is_stored_and_says_what_is_not(one_seed: Path) -> None:
    page = write_html(one_seed).read_text()
    assert f"Not measured: <code>pctrans-bench errors table4 --out {one_seed}</code>" in page
    invoke("errors", "table4", "--out", one_seed)
    for folder in (one_seed / "jobs").iterdir():
        shutil.rmtree(folder / "predictions")
    page = write_html(one_seed).read_text()
    assert "Not measured: <code>pctrans-bench errors" not in page
    assert 'alt="Table 4: PQ lost to each kind of error"' in page
    for line in share_grid(row_losses(dissected(one_seed)), "method")[1]:
        assert all(f">{cell}</td>" in page for cell in line[3:])
    (one_seed / "jobs" / "table4-row1-seed0" / "errors.json").unlink()
    assert "job table4-row1-seed0 is left out: its errors were not measured" in write_html(one_seed).read_text()
