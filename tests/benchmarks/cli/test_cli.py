"""The command line as a user meets it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.cli.experiments import parse_rows
from benchmarks.cli.options import read_overrides
from benchmarks.data import open_dataset
from benchmarks.data.label_files import write_labels
from benchmarks.errors import UserError

DATA = "synthetic-nuclei?size=64&train=2&val=1&test=1"
RUN = ["run", "table4", "--data", DATA, "--scale", "smoke", "--device", "cpu", "--jobs", "1"]


def invoke(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def command(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """The real process, for exit codes and messages on stderr."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.cli", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows of table 4, run through the command line, tracking included."""
    out = tmp_path_factory.mktemp("out")
    invoke(*RUN, "--rows", "1,8", "--out", out)
    return out


def test_starting_imports_nothing_heavy() -> None:
    """What makes `--help` answer at once."""
    code = "import sys, benchmarks.cli; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "mlflow", "numpy", "pandas", "matplotlib", "pydantic"} & set(modules)


def test_help_lists_every_command() -> None:
    text = invoke("--help")
    for name in (
        "run",
        "show",
        "train",
        "predict",
        "score",
        "report",
        "claims",
        "protocol",
        "study",
        "data",
        "list",
        "ui",
        "track",
        "verify",
    ):
        assert name in text


def test_every_option_is_named_in_a_document() -> None:
    root = Path(__file__).parents[3]
    text = "".join(path.read_text() for path in (root / "README.md", *root.glob("docs/*.md")))
    commands: list[Any] = [get_command(app)]
    for command in commands:
        commands += getattr(command, "commands", {}).values()
    options = {name for command in commands for option in command.params for name in option.opts if name[:2] == "--"}
    assert len(options) > 40
    assert [name for name in sorted(options) if not re.search(rf"{name}(?![a-z-])", text)] == []


def test_run_leaves_the_reports_and_says_where(ran: Path) -> None:
    table = ("table4.tex", "table4_document.tex", "table4.md", "table4.csv", "table4_segmentations.png")
    for name in (*table, "tables.tex", "claims.md", "claims.json", "index.html"):
        assert (ran / "reports" / name).stat().st_size > 0
    assert (ran / "mlflow.db").exists()
    assert len(list(ran.glob("jobs/*/result.json"))) == 2


def test_running_again_runs_nothing(ran: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in ran.glob("jobs/*/*.*")}
    text = invoke(*RUN, "--rows", "1,8", "--out", ran)
    assert "table4: 2 jobs, all done before." in text and "Nothing to do" in text
    assert {path: path.stat().st_mtime_ns for path in ran.glob("jobs/*/*.*")} == before


def test_reports_are_written_again_where_they_are_of_other_content_not_of_another_time(ran: Path) -> None:
    next(ran.glob("jobs/*/result.json")).touch()
    assert "Nothing to do" in invoke(*RUN, "--rows", "1,8", "--out", ran)
    page = ran / "reports" / "index.html"
    page.write_text("cut sh")
    assert "Nothing to do" not in invoke(*RUN, "--rows", "1,8", "--out", ran)
    assert page.stat().st_size > 10_000


def test_report_and_collect_compute_nothing(ran: Path) -> None:
    (ran / "reports" / "table4.md").unlink()
    invoke("report", "table4", "--out", ran)
    text = (ran / "reports" / "table4.md").read_text()
    (ran / "reports" / "table4.md").unlink()
    invoke(*RUN, "--collect", "--out", ran)
    assert (ran / "reports" / "table4.md").read_text() == text


def test_collecting_leaves_the_plan_alone(ran: Path) -> None:
    before = (ran / "runs" / "table4.json").read_text()
    invoke(*RUN, "--seeds", "3", "--collect", "--out", ran)
    assert (ran / "runs" / "table4.json").read_text() == before


def test_changed_settings_need_another_folder_and_are_in_the_caption(ran: Path, tmp_path: Path) -> None:
    changed = [*RUN, "--rows", "1", "--set", "training.iterations=2"]
    result = CliRunner().invoke(app, [*changed, "--out", str(ran)])
    assert isinstance(result.exception, UserError) and "another --out folder" in str(result.exception)
    invoke(*changed, "--out", tmp_path)
    text = (tmp_path / "reports" / "table4.md").read_text()
    assert "training.iterations=2" in text and "settings were changed" in text


def test_a_folder_that_cannot_be_written_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = command(*RUN, "--out", tmp_path / "file" / "out")
    assert done.returncode == 2 and "Error:" in done.stderr and "Traceback" not in done.stderr


def test_weights_that_are_not_there_fail_the_job_with_what_to_do(tmp_path: Path) -> None:
    arguments = ["train", "pctrans", "--data", DATA, "--scale", "smoke", "--out", tmp_path / "out"]
    done = command(*arguments, "--set", f"model.backbone.pretrained={tmp_path}/no")
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1 and "no ResNet weights" in told and "backbone.pretrained to null" in told
    assert "Traceback" not in told


def test_ctrl_c_says_that_nothing_is_lost(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "benchmarks.cli", *RUN, "--out", str(tmp_path)]
    process = subprocess.Popen(
        [*arguments, "--set", "training.iterations=100000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # A test run in the background of a script inherits an ignored SIGINT; a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_for(lambda: list(tmp_path.glob("jobs/*/checkpoint.pt")))
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and b"Nothing is lost" in stderr


def test_dry_run_shows_jobs_and_time_and_writes_nothing(tmp_path: Path) -> None:
    text = invoke(*RUN, "--dry-run", "--out", tmp_path / "out")
    assert "8 jobs; 8 to do." in text and "min on cpu" in text
    assert not (tmp_path / "out").exists()


def test_a_folder_is_not_mixed_with_other_data(ran: Path) -> None:
    result = CliRunner().invoke(
        app, ["run", "table4", "--data", DATA + "&seed=9", "--scale", "smoke", "--out", str(ran)]
    )
    assert isinstance(result.exception, UserError) and "another --out folder" in str(result.exception)


def test_lists(ran: Path) -> None:
    assert "table4" in invoke("list", "tables")
    assert "PCTrans" in invoke("list", "methods")
    assert "smoke" in invoke("list", "scales")
    assert "cvppp-a1:PATH" in invoke("list", "datasets")
    assert invoke("list", "runs", "--out", ran).count("done") == 2


def test_a_method_without_training_is_trained_all_the_same(tmp_path: Path) -> None:
    text = invoke("train", "watershed", "--data", DATA, "--scale", "smoke", "--device", "cpu", "--out", tmp_path)
    assert "pq" in text
    invoke("predict", tmp_path, *(tmp_path / "jobs").glob("*/overlays/*.png"), "--out", tmp_path / "pred")


def test_tracking_later_finds_everything_sent(ran: Path) -> None:
    assert "2" in invoke("track", "--out", ran)


def test_data_check_passes_and_fails(tmp_path: Path) -> None:
    assert "no problems" in invoke("data", "check", DATA).lower()
    done = command("data", "check", f"folder:{tmp_path}")
    assert done.returncode == 2 and "Error:" in done.stderr and str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_job_is_told_by_exit_status_and_a_gap(tmp_path: Path) -> None:
    arguments = [*RUN, "--rows", "8", "--out", tmp_path, "--set", "training.learning_rate=1e30"]
    text = invoke(*arguments, "--set", "training.gradient_norm=null", code=1)
    assert "not finite" in text
    assert "not finite" in (tmp_path / "reports" / "table4.md").read_text()


def test_a_table_of_methods_with_label_maps_made_elsewhere(tmp_path: Path) -> None:
    data = "synthetic-nuclei?size=64&train=2&val=1&test=2"
    dataset = open_dataset(data)
    for id in dataset.ids("test"):
        truth = dataset.load(id).labels
        assert truth is not None
        write_labels(tmp_path / "tool" / f"{id}.tif", truth)
    run = ["run", "table1", "--data", data, *RUN[4:], "--out", tmp_path / "out"]
    text = invoke(*run, "--rows", "12,14,22", "--external", f"Tool={tmp_path / 'tool'}")
    assert "label maps made elsewhere, not trained here" in text
    lines = (tmp_path / "out" / "reports" / "table1.csv").read_text().splitlines()
    rows = {row["label"]: row for row in csv.DictReader(lines)}
    assert rows["Tool"]["origin"] == "external" and float(rows["Tool"]["pq_mean"]) == 1
    assert rows["Otsu + watershed"]["origin"] == "untrained" and rows["Otsu + watershed"]["pq_mean"]
    assert rows["PEA"]["origin"] == "quoted" and rows["PEA"]["pq_published"] == "0.842"
    assert rows["Discriminative"]["origin"] == "trained" and float(rows["Discriminative"]["flops_per_crop"]) > 1e6
    assert rows["PCTrans"]["gaps"] and not rows["PCTrans"]["pq_mean"]


def test_unequal_rows_are_refused_unless_told_and_then_printed(tmp_path: Path) -> None:
    run = ["run", "table1", *RUN[2:], "--out", tmp_path, "--rows", "14,17"]
    unequal = [*run, "--set", "methods.pctrans.training.iterations=4"]
    refused = command(*unequal)
    assert refused.returncode == 2
    equal = "Discriminative, OSFormer, Mask2Former, StarDist-ResNet, Cellpose-ResNet, Mask R-CNN-ResNet"
    assert f"training.iterations is 6 ({equal}) and 4 (PCTrans)" in refused.stderr
    assert not (tmp_path / "jobs").exists()
    invoke(*unequal, "--allow-unequal")
    caption = (tmp_path / "reports" / "table1.md").read_text()
    assert "Rows are NOT equal in: training.iterations is 6 (Discriminative) and 4 (PCTrans)" in caption


def test_train_predict_and_score_as_a_lab_does(tmp_path: Path) -> None:
    import tifffile

    from benchmarks.data import open_dataset

    dataset = open_dataset(DATA)
    for id in dataset.ids("train"):
        stored = dataset.read(id)
        for name, array in (("images", stored.image), ("truth", stored.labels)):
            (tmp_path / name).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / name / f"{id}.tif", array)
    (tmp_path / "list.txt").write_text("train-0000\n")
    out = tmp_path / "model"
    invoke("train", "pctrans", "--data", DATA, "--scale", "smoke", "--device", "cpu", "--out", out)
    prediction = ["predict", out, tmp_path / "images", "--device", "cpu", "--out", tmp_path / "predicted"]
    invoke(*prediction, "--stems", tmp_path / "list.txt", "--min-size", "5")
    assert [path.name for path in (tmp_path / "predicted" / "labels").iterdir()] == ["train-0000.tif"]
    again = command(*prediction, "--min-size", "9")
    assert again.returncode == 2 and "--overwrite" in again.stderr
    invoke(*prediction, "--overwrite", "--tile", "32", "--flips")
    text = invoke("score", tmp_path / "truth", tmp_path / "predicted" / "labels", "--csv", tmp_path / "scores.csv")
    header = (tmp_path / "scores.csv").read_text().splitlines()[0]
    assert header == "image,truth,predicted,aji,aji_plus,dice,f1,pq,dq,sq,sbd,abs_dic,dic,ap50,ap"
    assert "2 images" in text and "pq" in text


def test_score_refuses_what_is_not_paired(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    import numpy as np
    import tifffile

    tifffile.imwrite(tmp_path / "a" / "x.tif", np.ones((4, 4), np.uint8))
    tifffile.imwrite(tmp_path / "b" / "x.tif", np.ones((4, 4), np.uint8))
    tifffile.imwrite(tmp_path / "b" / "lonely.tif", np.ones((4, 4), np.uint8))
    done = command("score", tmp_path / "a", tmp_path / "b", "--csv", tmp_path / "s.csv")
    assert done.returncode == 2 and "lonely.tif" in done.stderr


def test_overrides_from_a_file_and_the_command_line(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"training": {"iterations": 5, "crop": 64}, "model": {"num_queries": 9}}))
    overrides = read_overrides(config, ["training.iterations=7", "training.learning_rate=1e-3", "model.a=null"])
    assert overrides == {
        "training": {"iterations": 7, "crop": 64, "learning_rate": 1e-3},
        "model": {"num_queries": 9, "a": None},
    }
    for bad in ("training.iterations", "=3", "a..b=3"):
        with pytest.raises(UserError, match=r"expected a\.b=c"):
            read_overrides(None, [bad])
    config.write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(UserError, match="cannot be read as YAML"):
        read_overrides(config, [])
    config.write_text("- 1")
    with pytest.raises(UserError, match="has to hold sections"):
        read_overrides(config, [])


def test_rows_as_numbers_and_ranges() -> None:
    assert parse_rows("1,3-5,4") == [1, 3, 4, 5]
    assert parse_rows(None) is None
    for bad in ("one", "8-2", "1,,2"):
        with pytest.raises(UserError, match="such as 1,8 or 2-4"):
            parse_rows(bad)


def wait_for(condition, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


@pytest.mark.slow
def test_two_kills_end_in_the_same_table(tmp_path: Path) -> None:
    """SIGKILL during training and during the next job; the table is that of an undisturbed run."""
    options = ["--rows", "1,8", "--set", "training.iterations=12"]
    invoke(*RUN, *options, "--out", tmp_path / "a")
    out = tmp_path / "b"
    arguments = [sys.executable, "-m", "benchmarks.cli", *RUN, *options, "--out", str(out)]
    for checkpoints in (1, 2):
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda n=checkpoints: len(list(out.glob("jobs/*/checkpoint.pt"))) >= n)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    invoke(*RUN, *options, "--out", out)
    images = []
    for folder in (tmp_path / "a", out):
        images.append({p.parent.name: json.loads(p.read_text())["images"] for p in folder.glob("jobs/*/result.json")})
    assert images[0] == images[1] and len(images[0]) == 2


@pytest.mark.slow
def test_two_processes_share_a_table(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "benchmarks.cli", *RUN, "--rows", "1-4", "--out", str(tmp_path)]
    processes = [
        subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    done = [sum(line.endswith(": done") for line in text.splitlines()) for text in outputs]
    assert sum(done) == 4, outputs
