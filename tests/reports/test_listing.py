"""`list` names what people know jobs by, and cuts nothing in 80 columns."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from synthesis import synthesise_scores
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.plan.methods import METHODS


def listed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["list", *arguments], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    assert "…" not in done.output
    assert max(map(len, done.output.splitlines())) <= 80
    return done.output


def test_runs_name_the_row_of_each_job_in_the_order_of_the_table(tmp_path: Path) -> None:
    out = synthesise_scores(tmp_path, tables=["table4"], seeds=2, images=2)
    text = listed("runs", "--out", str(out))
    assert re.findall(r"table4, row (\d)", text) == [str(row) for row in range(1, 9) for _ in range(2)]
    assert "full model" in text and text.count("done") == 16


def test_runs_of_no_table_have_their_own_label(tmp_path: Path) -> None:
    out = synthesise_scores(tmp_path, tables=["table7"], seeds=1, images=2)
    shutil.rmtree(out / "runs")
    text = listed("runs", "--out", str(out))
    assert "table7, row" not in text and text.count("done") == len(list((out / "jobs").iterdir()))


@pytest.mark.parametrize("kind", ["tables", "figures", "studies", "methods", "scales", "datasets"])
def test_nothing_is_cut_in_80_columns(kind: str) -> None:
    text = listed(kind)
    if kind == "methods":
        assert all(f" {name} " in text for name in METHODS)
