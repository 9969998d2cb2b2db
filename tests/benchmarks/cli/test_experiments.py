"""From names and options to jobs, and the command that shows them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.cli.experiments import RunRequest, names_of, plan_all, refuse_other_runs
from benchmarks.errors import UserError
from benchmarks.figures import list_figures
from benchmarks.plan.tables import list_tables

DATA = "synthetic-nuclei?size=64&train=2&val=1&test=1"


def request_of(**changes: object) -> RunRequest:
    return RunRequest(**{"data": DATA, **changes})  # type: ignore[arg-type]


def test_all_is_every_table_and_figure_once() -> None:
    assert names_of(["figure5", "all"])[0] == "figure5"
    assert sorted(names_of(["figure5", "all", "table4"])) == sorted([*list_tables(), *list_figures()])
    assert {f"table{number}" for number in range(1, 9)} <= set(names_of(["all"]))


def test_an_unknown_name_suggests_a_known_one() -> None:
    with pytest.raises(UserError, match="did you mean 'figure5'"):
        names_of(["figur5"])


def test_the_full_model_is_one_job_in_three_tables_and_a_figure() -> None:
    table3, table4, table5, figure5 = plan_all(["table3", "table4", "table5", "figure5"], request_of())
    full = {planned.label: planned.job.key for planned in table4.chosen}["full model"]
    assert full == {planned.label: planned.job.key for planned in table3.chosen}["type 3"]
    assert full == {planned.label: planned.job.key for planned in table5.chosen}["τ_q 1.0, τ_m 1.0"]
    assert [planned.label for planned in figure5.chosen] == ["+ discriminative loss", "full model"]
    assert full in [planned.job.key for planned in figure5.chosen]
    assert table3.dataset is figure5.dataset  # opened and checked once


def test_tables_have_three_seeds_beyond_smoke_and_figures_one() -> None:
    table, figure = plan_all(["table4", "figure5"], request_of(scale="quick"))
    assert sorted({planned.job.seed for planned in table.chosen}) == [0, 1, 2]
    assert [planned.job.seed for planned in figure.chosen] == [0, 0]
    assert {planned.job.key for planned in figure.chosen} < {planned.job.key for planned in table.chosen}
    assert {planned.job.seed for planned in plan_all(["table4"], request_of())[0].chosen} == {0}
    assert {planned.job.seed for planned in plan_all(["table4"], request_of(seeds=2))[0].chosen} == {0, 1}


def test_without_data_the_second_table_is_of_leaves() -> None:
    nuclei, leaves = plan_all(["table1", "table2"], RunRequest())
    assert nuclei.plan.data.spec == "synthetic-nuclei" and leaves.plan.data.spec == "synthetic-rosettes"
    assert {planned.job.protocol for planned in leaves.chosen} == {"leaves"}


@pytest.mark.parametrize("names", [["table4", "table5"], ["figure5"]])
def test_rows_belong_to_one_table(names: list[str]) -> None:
    with pytest.raises(UserError, match="one table"):
        plan_all(names, request_of(rows=[1]))


def test_a_plan_that_is_there_stays_as_old_as_it_is(tmp_path: Path) -> None:
    (experiment,) = plan_all(["table3"], request_of())
    experiment.save(tmp_path)
    path = tmp_path / "runs" / "table3.json"
    before = path.stat().st_mtime_ns, path.read_text()
    experiment.save(tmp_path)
    assert (path.stat().st_mtime_ns, path.read_text()) == before
    (more,) = plan_all(["table3"], request_of(seeds=2))
    more.save(tmp_path, replace=False)
    assert path.read_text() == before[1]
    more.save(tmp_path)
    assert json.loads(path.read_text())["seeds"] == [0, 1]


def test_a_figure_does_not_join_a_table_of_other_data(tmp_path: Path) -> None:
    (table,) = plan_all(["table4"], request_of())
    table.save(tmp_path)
    (figure,) = plan_all(["figure5"], request_of(data="synthetic-nuclei?size=96&train=2&val=1&test=1"))
    with pytest.raises(UserError, match="another --out folder"):
        refuse_other_runs(figure.plan, tmp_path)


def test_show_prints_jobs_and_writes_nothing(tmp_path: Path) -> None:
    arguments = ["show", "table4", "table5", "--data", DATA, "--scale", "smoke", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    for experiment in plan_all(["table4", "table5"], request_of()):
        for planned in experiment.chosen:
            assert planned.job.key in result.output
    assert "16 jobs, 1 of them shared by several and run once; 16 to do." in result.output
    assert not (tmp_path / "out").exists()


def test_what_outlines_lose_is_told_once_by_show(tmp_path: Path) -> None:
    """Of the data, which two tables share, and of an external row."""
    root, boxes = tmp_path / "data", [[2, 2, 30, 2, 30, 30, 2, 30], [4, 4, 8, 4, 8, 8, 4, 8]]
    (root / "images").mkdir(parents=True)
    (root / "annotations").mkdir()
    for number, split in enumerate(("train", "val", "test")):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 40)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{split}.png")
        annotations = [{"id": i, "image_id": 1, "segmentation": [box]} for i, box in enumerate(boxes)]
        images = [{"id": 1, "file_name": f"{split}.png", "height": 40, "width": 40}]
        text = json.dumps({"images": images, "annotations": annotations})
        (root / "annotations" / f"{split}.json").write_text(text)
    asked = ["--data", f"coco:{root}", "--scale", "smoke", "--out", str(tmp_path / "out")]
    both = CliRunner().invoke(app, ["show", "table4", "table5", *asked])
    assert both.exit_code == 0, both.output
    assert both.output.count("48 pixels that several objects claim") == 1
    external = str(root / "annotations" / "test.json")
    one = CliRunner().invoke(app, ["show", "table4", *asked, "--external", f"Tool={external}"])
    assert one.exit_code == 0, one.output
    assert f"note: {external}: 16 pixels that several objects claim" in one.output
