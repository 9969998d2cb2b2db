"""Several `--data` in one command: a results folder each, a comparison, and what other commands do with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.cli.experiments import RunRequest
from benchmarks.cli.several_data import DataRun, compare_each, plan_runs
from benchmarks.errors import UserError
from benchmarks.machine.terminal import text_console
from benchmarks.store.job_folder import all_job_folders
from benchmarks.store.run_file import run_tables
from benchmarks.store.several_data import FILE, data_folders, note_data_folders

NUCLEI = "synthetic-nuclei?size=64&train=2&val=1&test=2"
OTHER_NUCLEI = f"{NUCLEI}&seed=1"
ROSETTES = "synthetic-rosettes?size=64&train=2&val=1&test=2"
FLOORS = ["--rows", "12,13", "--scale", "smoke", "--device", "cpu", "--jobs", "1"]
"""Two rows that need no training."""


def planned(out: Path, *specs: str, names: tuple[str, ...] = ("table1",)) -> list[DataRun]:
    return plan_runs(names, specs, RunRequest(), out)


def invoke(*arguments: object) -> str:
    """What a command prints; it has to end well."""
    outcome = CliRunner().invoke(app, [str(one) for one in arguments])
    assert outcome.exit_code == 0, (outcome.output, outcome.exception)
    return outcome.output


def refusal(*arguments: object) -> str:
    """Why a command is refused."""
    outcome = CliRunner().invoke(app, [str(one) for one in arguments])
    assert isinstance(outcome.exception, UserError), (outcome.output, outcome.exception)
    return str(outcome.exception)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two rows on nuclei and rosettes, and what the command said; without MLflow, whose databases take seconds."""
    out = tmp_path_factory.mktemp("several") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.tracking.several.TablesTracker", MagicMock(return_value=MagicMock(uri="sqlite:///x")))
        return out, invoke("run", "table1", "--data", NUCLEI, "--data", ROSETTES, *FLOORS, "--out", out)


def test_one_data_set_lies_in_the_folder_itself(tmp_path: Path) -> None:
    assert [run.out for run in (*planned(tmp_path), *planned(tmp_path, ROSETTES))] == [tmp_path, tmp_path]


def test_each_data_set_has_a_folder_and_its_own_protocol(tmp_path: Path) -> None:
    nuclei, rosettes = planned(tmp_path, NUCLEI, ROSETTES)
    assert (nuclei.out, rosettes.out) == (tmp_path / "synthetic-nuclei", tmp_path / "synthetic-rosettes")
    assert "protocol nuclei" in nuclei.describe() and "protocol leaves" in rosettes.describe()
    alone = planned(tmp_path / "alone", ROSETTES)[0]
    assert [one.job.key for one in rosettes.experiments[0].chosen] == [
        one.job.key for one in alone.experiments[0].chosen
    ]


def test_equal_names_are_told_apart_whatever_the_order(tmp_path: Path) -> None:
    first, second = planned(tmp_path, NUCLEI, OTHER_NUCLEI)
    assert first.out.name == "synthetic-nuclei"
    assert second.out.name.startswith("synthetic-nuclei-")
    for run in (first, second):
        run.experiments[0].save(run.out)
    assert [run.out for run in planned(tmp_path, OTHER_NUCLEI, NUCLEI)] == [second.out, first.out]
    assert [run.out for run in planned(tmp_path, ROSETTES, OTHER_NUCLEI)][1] == second.out


def test_a_data_set_that_is_called_like_a_folder_of_results(tmp_path: Path, write_folder: object) -> None:
    specs = [f"folder:{write_folder(tmp_path / name, images)}" for name, images in (("jobs", 4), ("my set", 5))]  # type: ignore[operator]
    first, second = planned(tmp_path / "out", *specs)
    assert first.out.name.startswith("jobs-")
    assert second.out.name == "my-set"


@pytest.fixture
def write_folder() -> object:
    from PIL import Image

    def write(folder: Path, images: int) -> Path:
        for part in ("images", "labels", "splits"):
            (folder / part).mkdir(parents=True)
        for index in range(images):
            Image.new("L", (64, 64), 10 * index).save(folder / "images" / f"{index}.png")
            label = Image.new("L", (64, 64))
            label.paste(1, (8, 8, 20 + index, 30))
            label.save(folder / "labels" / f"{index}.png")
        for split, ids in {"train": range(2, images), "val": [1], "test": [0]}.items():
            (folder / "splits" / f"{split}.txt").write_text("".join(f"{id}\n" for id in ids), encoding="utf-8")
        return folder

    return write


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ((NUCLEI, NUCLEI), "of the same data"),
        ((NUCLEI, ROSETTES, f"{NUCLEI}&train-share=1/2"), "parts of the same data"),
    ],
)
def test_the_same_data_twice_is_refused_before_anything_runs(
    tmp_path: Path, specs: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        planned(tmp_path, *specs)
    assert list(tmp_path.iterdir()) == []


def test_label_maps_of_one_data_set_are_not_those_of_another(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pctrans-bench compare"):
        plan_runs(["table1"], [NUCLEI, ROSETTES], RunRequest(external=["Mine=maps"]), tmp_path)


def test_a_folder_with_results_of_its_own_is_refused(tmp_path: Path) -> None:
    planned(tmp_path, NUCLEI)[0].experiments[0].save(tmp_path)
    with pytest.raises(UserError, match="holds results of its own \\(table1\\)"):
        planned(tmp_path, NUCLEI, ROSETTES)


def test_all_jobs_run_and_the_rows_are_compared(both: tuple[Path, str]) -> None:
    out, said = both
    for name in ("synthetic-nuclei", "synthetic-rosettes"):
        assert run_tables(out / name) == ["table1"]
        assert len([one for one in all_job_folders(out / name) if one.done]) == 2
        assert (out / name / "reports" / "index.html").is_file()
    text = (out / "reports" / "table1_compare.md").read_text(encoding="utf-8")
    assert "protocol nuclei" in text and "protocol leaves" in text and "each data set's own protocol" in text
    assert "synthetic-rosettes" in said and "Kendall's tau" in said


def test_the_same_command_has_nothing_to_do(both: tuple[Path, str]) -> None:
    out, _ = both
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/jobs/*/result.json")}
    said = invoke("run", "table1", "--data", ROSETTES, "--data", NUCLEI, *FLOORS, "--out", out)
    assert said.count("Nothing to do") == 2
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("*/jobs/*/result.json")}


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    said = invoke("run", "table1", "--data", NUCLEI, "--data", ROSETTES, *FLOORS, "--out", tmp_path / "o", "--dry-run")
    assert said.count("2 jobs; 2 to do.") == 2
    assert not (tmp_path / "o").exists()


def test_show_has_the_jobs_of_each(both: tuple[Path, str]) -> None:
    said = invoke("show", "table1", "--data", NUCLEI, "--data", ROSETTES, *FLOORS[:4], "--out", both[0])
    assert said.count("2 jobs; 0 to do.") == 2


@pytest.mark.parametrize("command", [["report"], ["report", "table1"]])
def test_report_is_of_each_and_of_all(both: tuple[Path, str], command: list[str]) -> None:
    (both[0] / "reports" / "table1_compare.md").unlink()
    said = invoke(*command, "--out", both[0])
    assert "synthetic-nuclei" in said and "synthetic-rosettes" in said
    assert (both[0] / "reports" / "table1_compare.md").is_file()


def test_verify_list_and_compare_take_the_folder(both: tuple[Path, str], tmp_path: Path) -> None:
    assert "4 sound" in invoke("verify", both[0])
    listed = invoke("list", "runs", "--out", both[0])
    assert all(one.key in listed for folder in data_folders(both[0]) for one in all_job_folders(folder))
    assert "Kendall's tau" in invoke("compare", both[0], "--out", tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ["claims"],
        ["errors", "table1"],
        ["protocol", "table1"],
        ["robustness", "table1"],
        ["power", "table1", "--difference", "0.1"],
        ["rescore"],
        ["ui"],
        ["track"],
        ["run", "table1", "--data", NUCLEI],
        ["labels", "table1", "--data", NUCLEI],
        ["train", "otsu", "--data", NUCLEI],
        ["merge", "elsewhere"],
    ],
    ids=lambda command: command[0],
)
def test_other_commands_say_which_folders_there_are(both: tuple[Path, str], command: list[str]) -> None:
    out = both[0]
    said = refusal(*command, "--out", out)
    assert f"{out / 'synthetic-nuclei'}, {out / 'synthetic-rosettes'}" in said


def test_merging_such_a_folder_is_refused_too(both: tuple[Path, str], tmp_path: Path) -> None:
    assert "synthetic-nuclei" in refusal("merge", both[0], "--out", tmp_path / "merged")


def test_what_cannot_be_compared_is_said_and_the_run_is_good(
    both: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = data_folders(both[0])
    compare_each(text_console(), ["table2"], folders, both[0])
    assert "table2: no comparison of the data sets. No run of table2" in capsys.readouterr().out


def test_a_folder_that_was_interrupted_is_reported_as_far_as_it_is(both: tuple[Path, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(both[0] / "synthetic-nuclei", out / "synthetic-nuclei")
    note_data_folders(out, ["synthetic-nuclei", "synthetic-rosettes"])
    assert "No run of table1" in invoke("report", "table1", "--out", out)
    shutil.rmtree(out / "synthetic-nuclei")
    assert "No run of table1" in refusal("report", "table1", "--out", out)


@pytest.mark.parametrize("name", ["../elsewhere", "/tmp", "..", "a/b", ""])
def test_a_received_folder_does_not_lead_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / FILE).write_text(json.dumps({"folders": [name]}), encoding="utf-8")
    with pytest.raises(UserError, match="is damaged"):
        data_folders(tmp_path)


def test_a_link_among_the_folders_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "nuclei").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / FILE).write_text(json.dumps({"folders": ["nuclei"]}), encoding="utf-8")
    with pytest.raises(UserError, match="leads out of"):
        data_folders(tmp_path / "out")


def test_folders_are_added_in_order_and_stay(tmp_path: Path) -> None:
    note_data_folders(tmp_path, ["a", "b"])
    note_data_folders(tmp_path, ["c", "b"])
    assert [one.name for one in data_folders(tmp_path)] == ["a", "b", "c"]
