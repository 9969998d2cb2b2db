"""The database of a results folder: made whole or not at all, at any path, and never lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sqlalchemy.engine import URL
from tracked import TABLE, only_run, runs, write_job

from benchmarks.tracking import Tracker, connection
from benchmarks.tracking.addresses import database_file, default_uri, is_inside
from benchmarks.tracking.database import make_where_missing

ROOT = Path(__file__).resolve().parents[3]
STRANGE = [
    "what?",
    "100%",
    "a%20b",
    "a%2Fb",
    "#1",
    "a?b=c&d",
    "50 %?x#y",
    "[a]{b}",
    "o'hara",
    "größe",
    'quo"te',
    "a:b@c",
]


def send(out: Path) -> bool:
    tracker = Tracker(out)
    tracker.start_table("table4", TABLE)
    return tracker.sync(write_job(out, "aaa"))


@pytest.mark.parametrize("name", STRANGE)
def test_any_folder_has_its_database_in_it(
    tmp_path: Path, empty_database: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / name / "results"
    out.mkdir(parents=True)
    shutil.copy(empty_database, out / "mlflow.db")
    assert database_file(default_uri(out)) == out / "mlflow.db" and is_inside(default_uri(out), out)
    assert send(out)
    assert [path.name for path in tmp_path.iterdir()] == [name] and list((tmp_path / name).iterdir()) == [out]
    copy = shutil.copy(out / "mlflow.db", tmp_path / "read.db")
    client = MlflowClient(f"sqlite:///{copy}")
    found = client.search_runs([client.get_experiment_by_name("pctrans-bench").experiment_id])
    (run,) = [run for run in found if run.info.run_name == "row 8, seed 3"]
    assert {entry.path for entry in client.list_artifacts(run.info.run_id)} >= {"result.json", "overlays"}


def test_a_strange_folder_without_a_database_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "100%?" / "results"
    assert send(out)
    assert [path.name for path in tmp_path.iterdir()] == ["100%?"]
    assert sorted(path.name for path in out.iterdir() if path.is_file()) == [
        *(".mlflow.db.lock", "mlflow.db", "tracking.json", "tracking.lock"),
    ]


def test_a_database_may_be_called_what_one_likes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "store" / "50% [of] all?.db"
    uri = URL.create("sqlite", database=str(file)).render_as_string()
    assert Tracker(tmp_path / "out", uri).sync(write_job(tmp_path / "out", "aaa"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "store"]
    assert sorted(path.name for path in file.parent.iterdir()) == [f".{file.name}.lock", file.name]


def unfinished(path: Path) -> None:
    """A database as MLflow leaves it when it is killed while it makes one."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE runs (run_uuid TEXT); CREATE TABLE experiments (experiment_id INTEGER, name TEXT);"
            "CREATE TABLE _alembic_tmp_runs (run_uuid TEXT); CREATE TABLE alembic_version (version_num TEXT)"
        )


@pytest.fixture
def made(empty_database: Path) -> list[str]:
    return [str(empty_database)]


def make(database: Path, made: list[str], *, ours: bool = True) -> None:
    """With a copy in the place of MLflow's making, which takes seconds."""
    template = made[0]

    def copy(uri: str) -> None:
        shutil.copy(template, uri.removeprefix("sqlite:///"))
        made.append(uri)

    make_where_missing(database, copy, ours=ours)


@pytest.mark.parametrize("ours", [True, False])
def test_an_unfinished_database_is_set_aside(
    tmp_path: Path, made: list[str], ours: bool, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "mlflow.db"
    unfinished(database)
    before = database.read_bytes()
    (tmp_path / ".mlflow.db.new-0123").write_bytes(b"left by a process that was killed")
    make(database, made, ours=ours)
    assert len(made) == 2 and database.read_bytes() == Path(made[0]).read_bytes()
    (aside,) = tmp_path.glob("mlflow.db.unusable-*")
    assert aside.read_bytes() == before and aside.name in caplog.text
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", ".mlflow.db.lock", aside.name}
    make(database, made, ours=ours)
    assert len(made) == 2


@pytest.mark.parametrize("table", ["runs", "_alembic_tmp_runs"])
def test_a_database_with_a_run_stays_whatever_else_is_in_it(tmp_path: Path, made: list[str], table: str) -> None:
    """A migration to a newer version moves runs from one table to the other."""
    database = tmp_path / "mlflow.db"
    unfinished(database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"INSERT INTO {table} VALUES ('a')")
    before = database.read_bytes()
    make(database, made)
    assert database.read_bytes() == before and len(made) == 1


@pytest.mark.parametrize("content", [b"", b"no database at all, but text" * 9])
def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, made: list[str], content: bytes) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(content)
    make(database, made)
    assert database.read_bytes() == Path(made[0]).read_bytes()
    (aside,) = tmp_path.glob("mlflow.db.unusable-*")
    assert aside.read_bytes() == content


def test_an_empty_database_that_somebody_else_made_stays(tmp_path: Path, made: list[str]) -> None:
    """A server that has just begun has it open."""
    database = tmp_path / "shared.db"
    shutil.copy(made[0], database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM runs")
        connection.execute("DELETE FROM experiments WHERE name <> 'Default'")
    make(database, made, ours=False)
    assert len(made) == 1


def test_a_locked_database_is_not_set_aside(tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.tracking.database.BUSY_SECONDS", 0.1)
    database = tmp_path / "mlflow.db"
    unfinished(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            make(database, made)
    assert database.exists() and len(made) == 1


def test_what_lay_beside_a_database_that_is_gone_is_not_applied_to_the_new_one(tmp_path: Path, made: list[str]) -> None:
    for suffix in ("-journal", "-wal"):
        (tmp_path / f"mlflow.db{suffix}").write_bytes(b"of another database")
    make(tmp_path / "mlflow.db", made)
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", ".mlflow.db.lock"}


def test_an_experiment_that_was_deleted_is_restored(out: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert send(out)
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    client.delete_experiment(client.get_experiment_by_name("pctrans-bench").experiment_id)
    tracker = Tracker(out)
    assert tracker.sync(write_job(out, "bbb")) and "is restored" in caplog.text
    assert {run.data.tags["pctrans_bench.key"] for run in runs(out, table=False)} == {"aaa", "bbb"}


def test_one_that_is_deleted_while_a_run_goes_on(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRY_AFTER", 0.0)
    tracker = Tracker(out)
    assert tracker.sync(write_job(out, "aaa"))
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    client.delete_experiment(client.get_experiment_by_name("pctrans-bench").experiment_id)
    bbb = write_job(out, "bbb")
    assert not tracker.sync(bbb), "the process still knows the experiment"
    assert tracker.sync(bbb)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.6, 0.8, 0.95])
def test_a_kill_at_any_moment_ruins_nothing(tmp_path: Path, share: float) -> None:
    """Of the making, whose length is measured first."""
    code = (
        "from pathlib import Path; from benchmarks.tracking import Tracker\n"
        "Tracker(Path('OUT')).start_table('table4', {})".replace("OUT", str(tmp_path / "out"))
    )

    def begin() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        while not list((tmp_path / "out").glob(".mlflow.db.new-*")) and process.poll() is None:
            time.sleep(0.01)
        return process

    process, before = begin(), time.monotonic()
    assert process.wait() == 0
    took = time.monotonic() - before
    shutil.rmtree(tmp_path / "out")
    process = begin()
    time.sleep(share * took)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert send(tmp_path / "out") and only_run(tmp_path / "out").info.status == "FINISHED"
    assert not list((tmp_path / "out").glob(".mlflow.db.new-*"))
