"""Files beside runs are in the results folder, whatever its database says of where they are."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracked import TABLE, artifacts, only_run, runs, write_job

from benchmarks.errors import UserError
from benchmarks.tracking import Tracker, TrackReport, send_all, serve_ui
from benchmarks.tracking.artifacts import OwnArtifacts

SENT = {"job.json", "environment.json", "metrics.csv", "result.json", "overlays"}


def send(out: Path, key: str, uri: str | None = None) -> bool:
    """What a new process does."""
    tracker = Tracker(out, uri)
    tracker.start_table("table4", TABLE)
    return tracker.sync(write_job(out, key)) and tracker.finish_table([out / "jobs" / key / "metrics.csv"])


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def edit(database: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement, values)


@pytest.fixture
def before(tmp_path: Path, empty_database: Path) -> Path:
    """A results folder with a table of one job in its database."""
    out = tmp_path / "before"
    out.mkdir()
    shutil.copy(empty_database, out / "mlflow.db")
    assert send(out, "aaa")
    return out


def test_a_folder_that_was_renamed_takes_its_files_along(before: Path) -> None:
    after = before.rename(before.with_name("after"))
    assert send(after, "bbb")
    assert not before.exists()
    assert all(artifacts(after, run) == SENT for run in runs(after, table=False))
    assert artifacts(after, only_run(after, table=True)) == {"metrics.csv"}


def test_a_copy_leaves_the_original_alone(before: Path) -> None:
    found = below(before)
    copy = Path(shutil.copytree(before, before.with_name("copy")))
    assert send(copy, "bbb")
    assert below(before) == found
    assert all(artifacts(copy, run) == SENT for run in runs(copy, table=False))
    assert only_run(before).info.artifact_uri.startswith(before.as_uri())


@pytest.mark.parametrize(
    "place", ["file://{}", "{}", "http://127.0.0.1:9/steal", "file://{}/../{}", "mlflow-artifacts:/"]
)
def test_an_edited_database_decides_nothing(before: Path, tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    place = place.format(victim, victim)
    edit(before / "mlflow.db", "UPDATE experiments SET artifact_location = ?", place)
    edit(before / "mlflow.db", "UPDATE runs SET artifact_uri = ? || '/' || run_uuid", place)
    assert send(before, "bbb")
    assert below(victim) == set()
    assert all(artifacts(before, run) == SENT for run in runs(before, table=False))


def test_a_run_that_is_named_as_a_path_gets_no_files(before: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no id of a run"):
        OwnArtifacts("sqlite:///x", before).keep("../../victim", before / "tracking.json")
    assert not (tmp_path / "victim").exists()


def test_runs_of_another_folder_keep_their_place(before: Path, tmp_path: Path) -> None:
    """One database, two folders: each run's files are in the folder that sent it."""
    uri = f"sqlite:///{before / 'mlflow.db'}"
    assert send(tmp_path / "other", "bbb", uri)
    assert send(before, "ccc")
    places = {run.data.tags["pctrans_bench.key"]: run.info.artifact_uri for run in runs(before, table=False)}
    assert places["bbb"].startswith((tmp_path / "other").as_uri())
    assert places["aaa"].startswith(before.as_uri()) and places["ccc"].startswith(before.as_uri())
    assert all(artifacts(before, run) == SENT for run in runs(before, table=False))


def test_a_database_of_several_people_may_keep_files_elsewhere(before: Path, tmp_path: Path) -> None:
    """They have said where, as with a server: in a service that all of them see, say."""
    shared = tmp_path / "shared.db"
    shutil.copy(before / "mlflow.db", shared)
    edit(shared, "UPDATE experiments SET artifact_location = 'http://127.0.0.1:9/bucket'")
    out = tmp_path / "out"
    assert not send(out, "bbb", f"sqlite:///{shared}")
    assert not (out / "mlflow-artifacts").exists()


def test_no_files_through_a_link(before: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    shutil.rmtree(before / "mlflow-artifacts")
    (before / "mlflow-artifacts").symlink_to(victim)
    assert not send(before, "bbb")
    assert below(victim) == set() and "mlflow-artifacts leads out of" in caplog.text


@pytest.mark.parametrize("name", ["mlflow.db", "mlflow.db-journal", "mlflow.db-wal"])
def test_no_database_through_a_link(before: Path, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    victim = tmp_path / "victim"
    shutil.copy(before / "mlflow.db", victim)
    content = victim.read_bytes()
    (before / name).unlink(missing_ok=True)
    (before / name).symlink_to(victim)
    assert not send(before, "bbb")
    assert victim.read_bytes() == content and f"{name} is a link to" in caplog.text
    with pytest.raises(UserError, match=f"{name} is a link to"):
        serve_ui(before, port=0)


def test_files_that_are_links_are_sent_to_nobody(
    before: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "id_rsa").write_text("private")
    job = write_job(before, "bbb")
    (job / "overlays" / "second.png").symlink_to(tmp_path / "id_rsa")
    with caplog.at_level(logging.WARNING, logger="pctrans_bench"):
        assert send_all(before) == TrackReport(sent=0, present=1, failed=1)
    assert "second.png is a link to" in caplog.text
    assert not any(path.name == "second.png" for path in (before / "mlflow-artifacts").rglob("*"))


def test_the_pages_of_a_folder_that_was_moved_find_its_files(before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    after = before.rename(before.with_name("after"))
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: (_ for _ in ()).throw(OSError("no pages")))
    with pytest.raises(OSError, match="no pages"):
        serve_ui(after, port=0)
    run = MlflowClient(f"sqlite:///{after / 'mlflow.db'}").get_run(only_run(after).info.run_id)
    assert run.info.artifact_uri == (after / "mlflow-artifacts" / run.info.run_id / "artifacts").as_uri()
