"""A method whose package is not installed, or does not work: what is said, and that nothing else suffers."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.plan import methods
from benchmarks.plan.expansion import Plan, expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.methods import METHODS
from benchmarks.plan.tables import load_table
from benchmarks.store.run_file import RunFile
from reports.collect import collect

DATA = "synthetic-nuclei?size=64&train=2&val=1&test=1"
NEEDS = "Mask R-CNN needs torchvision, which is not installed"
ROW = next(number for number, row in enumerate(load_table("table1").rows, 1) if row.method == "maskrcnn")


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without torchvision, whether this one has it or not."""
    monkeypatch.setattr(methods, "is_installed", lambda package: False)


def plan(**options: object) -> Plan:
    return expand_table(load_table("table1"), JobContext.on(open_dataset(DATA), "smoke"), seeds=1, **options)  # type: ignore[arg-type]


@pytest.mark.usefixtures("absent")
def test_a_table_runs_without_the_row_and_says_why(tmp_path: Path) -> None:
    told = plan()
    assert ROW not in {planned.row for planned in told.chosen}
    assert told.left_out[ROW].reason == NEEDS
    command = ["run", "table1", "--data", DATA, "--scale", "smoke", "--device", "cpu", "--out", str(tmp_path)]
    shown = CliRunner().invoke(app, [*command, "--dry-run"])
    assert (
        shown.exit_code == 0 and f"table1 without row {ROW} (Mask R-CNN-ResNet): {NEEDS}: pip install" in shown.output
    )


def test_the_row_is_run_where_the_package_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "is_installed", lambda package: True)
    assert ROW in {planned.row for planned in plan().chosen} and ROW not in plan().left_out


@pytest.mark.usefixtures("absent")
def test_asked_for_alone_it_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(UserError, match=rf"row {ROW} of table1 cannot be run here\. {NEEDS}: pip install"):
        plan(rows=[ROW])
    trained = CliRunner().invoke(app, ["train", "maskrcnn", "--data", DATA, "--scale", "smoke", "--out", "nowhere"])
    assert isinstance(trained.exception, UserError) and NEEDS in str(trained.exception)
    with pytest.raises(UserError, match=NEEDS):
        METHODS["maskrcnn"].build({})
    with pytest.raises(UserError, match=NEEDS):
        METHODS["maskrcnn"].load("nowhere")


@pytest.mark.usefixtures("absent")
def test_reports_say_why_and_keep_what_another_machine_made(tmp_path: Path) -> None:
    told = RunFile.of(plan())
    row = next(row for row in told.rows if row.row == ROW)
    assert row.left_out == NEEDS and len(row.keys) == 1, "its job has a key here, too"
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "table1.json").write_text(told.model_dump_json())
    gaps = {row.number: gap for row, gap in collect(tmp_path, "table1").gaps}
    assert gaps[ROW].reason == NEEDS and gaps[ROW - 1].reason == "not run"
    assert json.loads(told.model_dump_json())["jobs"].count(row.keys[0]) == 1


def test_listing_imports_no_package_that_a_method_needs(tmp_path: Path) -> None:
    """And says of one that is not there how to install it."""
    (tmp_path / "torchvision.py").write_text("raise SystemExit('imported')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "COLUMNS": "250"}
    command = [sys.executable, "-m", "benchmarks.cli", "list", "methods"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "NOT INSTALLED" not in done.stdout, done.stderr


@pytest.mark.usefixtures("absent")
def test_listing_says_what_to_install() -> None:
    listed = CliRunner().invoke(app, ["list", "methods"], env={"COLUMNS": "250"})
    line = next(line for line in listed.output.splitlines() if line.strip().startswith("maskrcnn"))
    assert "NOT INSTALLED: pip install 'pctrans-bench[torchvision]'" in line


def test_a_package_that_does_not_fit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a torchvision for CUDA beside a torch for CPUs."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('operator nms does not exist')")
    for name in list(sys.modules):
        if name.startswith(("torchvision", "baselines.maskrcnn.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(UserError, match=r"does not work with torch \S+ \(operator nms does not.*was built for this"):
        METHODS["maskrcnn"].build({})


def test_a_scale_without_the_method_is_told_apart_from_a_package(tmp_path: Path) -> None:
    """EoMT has no configuration at `smoke`: no job, a sentence, and the same where it is asked for alone."""
    number = next(number for number, row in enumerate(load_table("table1").rows, 1) if row.method == "eomt")
    told = plan()
    assert number not in {planned.row for planned in told.jobs}
    assert told.left_out[number].reason == "EoMT is offered at scale paper only"
    row = next(row for row in RunFile.of(told).rows if row.row == number)
    assert (row.label, row.method, row.keys) == ("EoMT", "eomt", [])
    with pytest.raises(UserError, match=r"EoMT is offered at scale paper only: a plain ViT lives on its pretraining"):
        plan(rows=[number])
    command = ["train", "eomt", "--data", DATA, "--scale", "smoke", "--out", str(tmp_path)]
    assert "offered at scale paper only" in str(CliRunner().invoke(app, command).exception)
    at_paper = expand_table(load_table("table1"), JobContext.on(open_dataset(DATA), "paper"), seeds=1)
    job = next(planned.job for planned in at_paper.chosen if planned.row == number)
    assert job.model["checkpoint"] == "tue-mps/coco_instance_eomt_large_640" and "backbone" not in job.model
