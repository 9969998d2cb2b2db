"""The command line of studies: what is refused before anything runs, and what is listed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_study import DATA, TINY
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.cli.experiments import refuse_other_runs
from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.plan.expansion import Plan, expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.tables import load_table
from benchmarks.store.run_file import save_run
from studies.plan import TrainingPlan
from studies.slots import create_or_join
from studies.storage import load, open_storage
from studies.study_folder import enter_folder

Make = Callable[..., TrainingPlan]


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["study", *arguments])
    assert isinstance(result.exception, UserError), (result.output, result.exception)
    return str(result.exception)


def test_studies_are_listed() -> None:
    listed = CliRunner().invoke(app, ["list", "studies"]).output
    for name in ("temperatures", "table5", "loss-weights", "inference"):
        assert name in listed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["temperature"], "did you mean 'temperatures'"),
        (["temperatures", "--trials", "3"], "temperatures is a grid"),
        (["inference"], "needs --model"),
        (["inference", "--scale", "quick"], "the scale is its model's"),
        (["inference", "--confirm"], "tells of the test split by itself"),
        (["temperatures", "--scale", "smoke", "--set", "model.mask_temperature=2"], "sets itself"),
        (["temperatures", "--scale", "small"], "There is no scale 'small'"),
        (["temperatures", "--scale", "smoke", "--seeds", "2"], "are those of --confirm"),
        (["temperatures", "--scale", "smoke", "--model", "m"], "trains its own models"),
        (["inference", "--model", "m", "--protocol", "leaves"], "tests as its model's job did"),
        (["learning-rate", "--scale", "smoke", "--set", "training.validate_every=3"], "follows from the pruner"),
        (["inference", "--model", "m", "--executor", "slurm"], "it runs on this machine"),
        (["inference", "--model", "m", "--gpus-per-job", "2"], "trains nothing"),
        (["temperatures", "--scale", "smoke", "--executor", "slurm", "--jobs", "3"], "say --max-parallel 3"),
        (["temperatures", "--scale", "smoke", "--max-parallel", "3"], "is for --executor slurm"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    assert said in refused(*arguments, "--data", DATA, "--out", str(tmp_path), "--device", "cpu")
    assert list(tmp_path.iterdir()) == []


def test_a_users_file_with_a_wrong_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(TINY | {"search": {"training.learning_rat": {"low": 0.1, "high": 1}}}))
    said = refused(str(path), "--data", DATA, "--scale", "smoke", "--out", str(tmp_path), "--device", "cpu")
    assert "training.learning_rat, which pctrans does not have: did you mean 'training.learning_rate'" in said


def test_a_folder_of_another_study_of_that_name_is_refused(tmp_path: Path, make_plan: Make) -> None:
    folder = enter_folder(make_plan(), tmp_path)
    assert enter_folder(make_plan(trials=9), tmp_path) == folder  # a larger budget is the same study
    with pytest.raises(UserError, match="Give another --out folder"):
        enter_folder(make_plan(seed=5), tmp_path)
    (folder / "study.json").write_text(json.dumps({"digest": 1}))
    with pytest.raises(UserError, match="damaged"):
        enter_folder(make_plan(), tmp_path)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("study.db", "expected a URL"),
        ("sqlite:////nowhere/study.db", "unable to open database file"),
        ("postgresql+pg8000://me:secret@127.0.0.1:1/db", "cannot be used"),
        ("postgresql://me:secret@127.0.0.1:1/db", "postgresql+pg8000"),
    ],
)
def test_storages_that_do_not_answer(tmp_path: Path, url: str, said: str) -> None:
    if "pg8000" in url:
        pytest.importorskip("pg8000")
    with pytest.raises(UserError) as raised:
        open_storage(url, tmp_path)
    assert said in str(raised.value) and "secret" not in str(raised.value)


def test_sqlite_is_a_storage(tmp_path: Path, make_plan: Make) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    create_or_join(make_plan(), open_storage(url, tmp_path))
    assert len(load(make_plan(), open_storage(url, tmp_path)).trials) == 4


def test_confirm_is_refused_where_no_other_split_has_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Dataset
) -> None:
    monkeypatch.setattr(type(dataset), "evaluation_split", "val")
    said = refused(
        "queries", "--scale", "smoke", "--confirm", "--data", DATA, "--out", str(tmp_path), "--device", "cpu"
    )
    assert "no other split with truth" in said


def test_the_same_settings_given_in_two_ways_are_the_same_table(tmp_path: Path, dataset: Dataset) -> None:
    """As a study writes them, and as its best.yaml gives them to `run`."""

    def plan(overrides: dict[str, Any]) -> Plan:
        return expand_table(load_table("table5"), JobContext.on(dataset, "smoke"), seeds=1, overrides=overrides)

    save_run(plan({"training": {"learning_rate": 0.01}}), tmp_path)
    refuse_other_runs(plan({"methods": {"pctrans": {"training": {"learning_rate": 0.01}}}}), tmp_path)
    with pytest.raises(UserError, match="another --out folder"):
        refuse_other_runs(plan({"methods": {"pctrans": {"training": {"learning_rate": 0.02}}}}), tmp_path)
