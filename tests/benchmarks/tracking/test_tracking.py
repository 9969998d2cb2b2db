"""What MLflow holds afterwards, read back with its own client from a real database."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import mlflow
import pytest
from tracked import DATA, TABLE, artifacts, history, only_run, runs, write_job

from benchmarks.errors import UserError
from benchmarks.plan.nested import flatten
from benchmarks.store.job_folder import JobFolder
from benchmarks.tracking import Tracker, TrackReport, send_all, serve_ui
from benchmarks.tracking.job import TrackedJob


def test_a_job_that_goes_on_elsewhere_keeps_its_run(out: Path, caplog: pytest.LogCaptureFixture) -> None:
    """MLflow refuses to change a parameter: what is different now is a tag."""
    job = write_job(out, "aaa", ended=None)
    first = Tracker(out)
    first.start_table("table4", TABLE)
    assert first.sync(job)
    write_job(out, "aaa")
    (job / "environment.json").write_text(json.dumps({"torch": "2.13.0", "commit": "def456", "cpu": "new"}))
    second = Tracker(out)
    second.start_table("table4", TABLE)
    assert second.sync(job) and caplog.records == []
    run = only_run(out)
    assert run.info.status == "FINISHED" and run.data.metrics["test/pq"] == 0.7
    assert (run.data.params["environment.commit"], run.data.params["environment.cpu"]) == ("abc123", "new")
    continued = {name: value for name, value in run.data.tags.items() if name.startswith("continued.")}
    assert continued == {"continued.environment.commit": "def456"}


def test_a_finished_job_arrives_whole(out: Path) -> None:
    job = write_job(out, "aaa")
    tracker = Tracker(out)
    tracker.start_table("table4", TABLE)
    assert tracker.sync(job)
    assert tracker.finish_table([job / "metrics.csv"])

    parent, child = only_run(out, table=True), only_run(out)
    assert parent.data.params == {
        **{f"data.{name}": value for name, value in DATA.items()},
        **{"scale": "smoke", "seeds": "[0]", "overrides": "{}"},
    }
    assert parent.info.run_name == "table4" and parent.info.status == "FINISHED"
    assert artifacts(out, parent) == {"metrics.csv"}

    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.info.run_name == "row 8, seed 3" and child.info.status == "FINISHED"
    assert (child.info.start_time, child.info.end_time) == (1767323045000, 1767323645000)
    parameters = child.data.params
    assert parameters["model.hidden"] == "64" and parameters["model.levels"] == "[8, 16]"
    assert parameters["training.option_149"] == "149", "more parameters than fit in one request"
    assert parameters["environment.torch"] == "2.13.0"
    (of,) = child.inputs.dataset_inputs
    assert (of.dataset.name, of.dataset.digest) == ("x", "f")
    assert mlflow.data.get_source(of).to_dict() == {"tags": {"spec": "folder:x", "decoding": "ids"}}
    assert [(tag.key, tag.value) for tag in of.tags] == [("mlflow.data.context", "testing")]
    assert child.data.metrics["test/pq"] == 0.7 and child.data.metrics["test/dic"] == -2
    assert child.data.metrics["cost/parameters"] == 1234 and "test/ap" not in child.data.metrics
    assert parameters["thresholds.mask_threshold"] == "0.35" and parameters["thresholds.bandwidth"] == "null"
    assert child.data.metrics["thresholds/pq_configured"] == 0.5
    assert child.data.metrics["thresholds/pq_chosen"] == 0.625
    assert history(out, child, "train/loss") == [(k, 1 / (k + 1)) for k in range(5)]
    assert [step for step, _ in history(out, child, "train/mask")] == [0, 1, 3, 4], "NaN is left out"
    assert history(out, child, "validation/pq") == [(2, 0.4), (4, 0.6)]
    assert history(out, child, "validation/_dic_") == [(4, 3.0)]
    expected = {"job.json", "environment.json", "metrics.csv", "result.json", "overlays"}
    assert artifacts(out, child) == expected
    assert artifacts(out, child, "overlays") == {"overlays/first.png"}


def test_long_curves_are_sent_in_parts(out: Path) -> None:
    assert Tracker(out).sync(write_job(out, "aaa", iterations=1500))
    assert [step for step, _ in history(out, only_run(out), "train/loss")] == list(range(1500))


def test_a_growing_job_is_sent_as_it_grows(out: Path) -> None:
    tracker = Tracker(out)
    assert tracker.deliver(write_job(out, "aaa", iterations=3, ended=None)) == "sent"
    assert only_run(out).info.status == "RUNNING"
    assert tracker.deliver(out / "jobs" / "aaa") == "present"
    assert tracker.deliver(write_job(out, "aaa", iterations=6, ended=None)) == "sent"
    assert [step for step, _ in history(out, only_run(out), "train/loss")] == list(range(6))
    # A job that was killed goes back to its last checkpoint and repeats some iterations.
    assert tracker.deliver(write_job(out, "aaa", iterations=4, ended=None)) == "present"
    assert tracker.deliver(write_job(out, "aaa", iterations=8)) == "sent"
    assert [step for step, _ in history(out, only_run(out), "train/loss")] == list(range(8))


def test_a_line_that_is_being_written_waits(out: Path) -> None:
    job = write_job(out, "aaa", ended=None)
    with (job / "validation.csv").open("a") as file:
        file.write("6,3,1.5,0.")
    assert [point.step for point in TrackedJob.read(JobFolder(job)).points("validation", after=3)] == [4, 4, 4, 4]


def test_sending_again_adds_nothing(out: Path) -> None:
    job = write_job(out, "aaa")
    for _ in range(2):
        tracker = Tracker(out)
        tracker.start_table("table4", TABLE)
        assert tracker.sync(job) and tracker.sync(job)
    assert len(runs(out, table=True)) == len(runs(out, table=False)) == 1
    assert len(history(out, only_run(out), "train/loss")) == 5


def test_a_failed_job_and_its_second_life(out: Path) -> None:
    tracker = Tracker(out)
    job = write_job(out, "aaa", ended="error")
    assert tracker.sync(job)
    failed = only_run(out)
    assert failed.info.status == "FAILED" and failed.data.tags["mlflow.note.content"] == "loss is not finite"
    assert "error.json" in artifacts(out, failed)
    (job / "error.json").unlink()
    assert tracker.sync(job) and only_run(out).info.status == "RUNNING"
    assert tracker.sync(write_job(out, "aaa")) and only_run(out).info.status == "FINISHED"


def test_other_parameters_make_another_table(out: Path) -> None:
    job = write_job(out, "aaa")
    for seeds in (1, 1, 2):
        tracker = Tracker(out)
        tracker.start_table("table4", TABLE | {"seeds": seeds})
        assert tracker.sync(job)
    seeds_of_tables = {run.info.run_id: run.data.params["seeds"] for run in runs(out, table=True)}
    assert sorted(seeds_of_tables.values()) == ["1", "2"]
    children = [run.data.tags["mlflow.parentRunId"] for run in runs(out, table=False)]
    assert sorted(children) == sorted(seeds_of_tables)


def test_a_database_that_was_deleted_is_filled_again(out: Path, empty_database: Path) -> None:
    job = write_job(out, "aaa")
    first = Tracker(out)
    first.start_table("table4", TABLE)
    assert first.sync(job)
    copy = out / "again"
    shutil.copytree(out, copy)
    shutil.copy(empty_database, copy / "mlflow.db")
    again = Tracker(copy)
    again.start_table("table4", TABLE)
    assert again.deliver(copy / "jobs" / "aaa") == "sent"
    assert len(history(copy, only_run(copy), "train/loss")) == 5


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture(params=["refuses", "never answers"])
def dead_server(request: pytest.FixtureRequest) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "never answers":
            listener.listen()
        yield f"http://someone:secret@127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_away_costs_one_warning(out: Path, dead_server: str, caplog: pytest.LogCaptureFixture) -> None:
    jobs = [write_job(out, key) for key in ("aaa", "bbb")]
    (out / "runs").mkdir()
    table = {"table": "table4", "jobs": ["aaa"], "rows": [], **TABLE}
    (out / "runs" / "table4.json").write_text(json.dumps(table))
    tracker = Tracker(out, dead_server)
    with caplog.at_level(logging.WARNING, logger="pctrans_bench"):
        tracker.start_table("table4", TABLE)
        assert [tracker.sync(job) for job in jobs] == [False, False]
        assert not tracker.finish_table()
    assert len(caplog.records) == 1
    assert "pctrans-bench track" in caplog.text and "secret" not in caplog.text

    assert send_all(out) == TrackReport(sent=2, present=0, failed=0)
    parent = only_run(out, table=True)
    assert parent.data.params["scale"] == "smoke" and parent.info.status == "FINISHED"
    children = {run.data.tags["pctrans_bench.key"]: run for run in runs(out, table=False)}
    assert children["aaa"].data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert "mlflow.parentRunId" not in children["bbb"].data.tags
    assert send_all(out) == TrackReport(sent=0, present=2, failed=0)
    assert send_all(out, dead_server) == TrackReport(sent=0, present=0, failed=2)


def test_a_server_that_comes_back_is_told(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.tracking import connection as module

    job, tracker = write_job(out, "aaa"), Tracker(out)
    real = module.connect
    monkeypatch.setattr(module, "connect", lambda *_: (_ for _ in ()).throw(ConnectionError("away")))
    assert not tracker.sync(job)
    monkeypatch.setattr(module, "connect", real)
    assert not tracker.sync(job), "no attempt so soon"
    monkeypatch.setattr(module, "RETRY_AFTER", 0.0)
    monkeypatch.setattr(tracker._connection, "_retry_at", 0.0)
    assert tracker.sync(job)


def test_no_password_is_written_down(out: Path) -> None:
    tracker = Tracker(out, "postgresql://me:secret@127.0.0.1:1/db")
    tracker.start_table("table4", TABLE)
    assert all(b"secret" not in path.read_bytes() for path in out.rglob("*.json"))


def test_unreadable_folders_are_passed_over(out: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = out / "jobs" / "broken"
    broken.mkdir(parents=True)
    assert not Tracker(out).sync(broken)
    (broken / "job.json").write_text("{")
    (broken / "tracking.json").write_text("nonsense")
    write_job(out, "good")
    assert send_all(out) == TrackReport(sent=1, present=0, failed=1)
    assert "broken/job.json" in caplog.text


def test_nothing_to_send_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no jobs found"):
        send_all(tmp_path)
    write_job(tmp_path, "aaa")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "table4.json").write_text("[]")
    with pytest.raises(UserError, match=r"table4\.json does not describe a run"):
        send_all(tmp_path)


@pytest.mark.parametrize("uri", ["file:///tmp/runs", "mlruns", "./mlflow.db"])
def test_a_store_that_mlflow_refuses_is_an_error_at_once(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UserError, match="expected a database"):
        Tracker(tmp_path, uri)


def test_flatten_by_hand() -> None:
    nested = {"a": {"b": 1, "c": {"d": "x"}}, "e": [1, {"f": 2}], "g": None, "h": {}}
    expected = {"a.b": "1", "a.c.d": "x", "e": '[1, {"f": 2}]', "g": "null", "h": "{}"}
    assert dict(flatten(nested)) == expected


def test_importing_it_does_not_import_mlflow() -> None:
    code = "import sys, benchmarks.tracking; sys.exit('mlflow' in sys.modules)"
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


# --- pages ------------------------------------------------------------------------------------------------


def test_no_pages_without_a_database(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mlflow\.db: no tracking database"):
        serve_ui(tmp_path)
    with pytest.raises(UserError, match="pages of its own"):
        serve_ui(tmp_path, tracking_uri="http://127.0.0.1:5000")


def test_a_taken_port_is_named(out: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match=f"port {taken.getsockname()[1]}"):
            serve_ui(out, port=taken.getsockname()[1])


@pytest.mark.slow
def test_the_pages_open_and_close(out: Path) -> None:
    assert Tracker(out).sync(write_job(out, "aaa"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "import sys; from pathlib import Path; from benchmarks.tracking import serve_ui\n"
        f"sys.exit(serve_ui(Path({str(out)!r}), port={port}))"
    )
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen([sys.executable, "-c", code], cwd=root, start_new_session=True) as pages:
        watchdog = threading.Timer(90, lambda: os.killpg(pages.pid, signal.SIGKILL))
        watchdog.start()
        try:
            while pages.poll() is None:
                try:
                    with urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
                        assert answer.status == 200
                    break
                except OSError:
                    time.sleep(0.3)
            os.killpg(pages.pid, signal.SIGINT)
            assert pages.wait(timeout=30) == 0
        finally:
            watchdog.cancel()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
