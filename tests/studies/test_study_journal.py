"""Journals that killed commands left behind: their locks, and their last lines."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import optuna
import pytest

from benchmarks.errors import UserError
from studies import journal as module
from studies.journal import Journal, JournalLock
from studies.storage import open_storage

TORN = b'{"op_code":8,"worker_id":"x","trial_id":0,"user_a'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study with one trial, as Optuna's own backend writes it."""
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal.log"))
    study = optuna.create_study(study_name="s", storage=optuna.storages.JournalStorage(backend))
    study.enqueue_trial({"x": 1})
    return tmp_path


def states(folder: Path) -> list[str]:
    study = optuna.load_study(study_name="s", storage=open_storage(None, folder))
    return [trial.state.name for trial in study.trials]


@pytest.mark.parametrize("record", [True, False])
def test_a_last_line_that_is_no_record(folder: Path, record: bool) -> None:
    """By a disk that lost power; or by an earlier version, which wrote a whole record behind half of one."""
    whole = (folder / "journal.log").read_bytes()
    whole_line = whole.splitlines(keepends=True)[-1] if record else b""
    (folder / "journal.log").write_bytes(whole + (TORN + whole_line if record else b"\x00" * 30 + b"\n"))
    assert states(folder) == ["WAITING"] * (2 if record else 1)
    assert (folder / "journal.log").read_bytes() == whole + whole_line


@pytest.mark.parametrize("target", ["journal.log", "results/studies/s/journal.log", "/nowhere/journal.log", "."])
def test_a_lock_that_a_killed_command_left_is_broken(
    folder: Path, target: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.2)
    (folder / "journal.log.lock").symlink_to(target)
    before, cpu = time.monotonic(), time.process_time()
    assert states(folder) == ["WAITING"]
    assert 0.2 < time.monotonic() - before < 20 and time.process_time() - cpu < 5
    assert "its process died" in caplog.text
    assert [path.name for path in folder.iterdir()] == ["journal.log"]


def test_a_lock_that_changes_hands_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is held for less than the grace, all together for longer."""
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.6)
    link, free = folder / "journal.log.lock", threading.Event()

    def others() -> None:
        for _ in range(6):
            new = link.with_name("new")
            new.symlink_to("x")
            new.rename(link)
            time.sleep(0.2)
        free.set()
        link.unlink()

    link.symlink_to("x")
    thread = threading.Thread(target=others)
    thread.start()
    lock = JournalLock(folder / "journal.log")
    assert lock.acquire() and free.is_set()
    lock.release()
    thread.join()


def test_who_was_taken_for_dead_leaves_the_lock_of_another(folder: Path) -> None:
    slow, link = JournalLock(folder / "journal.log"), folder / "journal.log.lock"
    slow.acquire()
    link.unlink()
    time.sleep(0.01)  # a later time of change, where the inode is used again
    link.symlink_to("another's")
    slow.release()
    assert str(link.readlink()) == "another's"


def test_a_lock_that_another_took_meanwhile_is_given_back(folder: Path) -> None:
    """Two have waited for a dead process; the slower one takes away what the faster one has just made."""
    living, slower = JournalLock(folder / "journal.log"), JournalLock(folder / "journal.log")
    link = folder / "journal.log.lock"
    living.acquire()
    slower._break((1, 1))
    assert link.is_symlink()
    living.release()
    assert [path.name for path in folder.iterdir()] == ["journal.log"]


def test_only_one_at_a_time(tmp_path: Path) -> None:
    """Processes that add 1 to a file under the lock lose none."""
    code = f"""
from pathlib import Path
from studies.journal import JournalLock
total, lock = Path({str(tmp_path / "total")!r}), JournalLock(Path({str(tmp_path / "journal.log")!r}))
for _ in range(100):
    lock.acquire()
    total.write_text(str(int(total.read_text()) + 1))
    lock.release()
"""
    (tmp_path / "total").write_text("0")
    children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [child.wait(timeout=100) for child in children] == [0, 0, 0]
    assert (tmp_path / "total").read_text() == "300"


def test_a_half_written_last_line_is_cut(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = (folder / "journal.log").read_bytes()
    (folder / "journal.log").write_bytes(whole + TORN)
    assert states(folder) == ["WAITING"]
    assert (folder / "journal.log").read_bytes() == whole
    assert f"its last line was half written and is cut, {len(TORN)} bytes" in caplog.text
    caplog.clear()
    assert states(folder) == ["WAITING"] and caplog.records == []


def test_every_length_of_a_torn_line(folder: Path) -> None:
    *rest, last = (folder / "journal.log").read_bytes().splitlines(keepends=True)
    for length in range(1, len(last)):
        (folder / "journal.log").write_bytes(b"".join(rest) + last[:length])
        states(folder)
        assert (folder / "journal.log").read_bytes() == b"".join(rest)


def test_a_line_is_cut_that_tears_while_others_run(folder: Path) -> None:
    """Another command dies; this one has the journal open and writes next."""
    study = optuna.load_study(study_name="s", storage=open_storage(None, folder))
    with (folder / "journal.log").open("ab") as file:
        file.write(TORN)
    study.enqueue_trial({"x": 2})
    assert [trial.system_attrs["fixed_params"]["x"] for trial in study.trials] == [1, 2]
    assert states(folder) == ["WAITING", "WAITING"]
    for line in (folder / "journal.log").read_bytes().splitlines():
        json.loads(line)


def test_what_earlier_versions_joined_is_taken_apart(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They wrote on behind the half line, and every later command ended by a JSONDecodeError."""
    whole = (folder / "journal.log").read_bytes()
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "journal.log"))
    (folder / "journal.log").write_bytes(whole + TORN)
    study = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend))
    study.set_user_attr("first", 1)
    with pytest.raises(json.JSONDecodeError):
        study.set_user_attr("second", 2)
    study = optuna.load_study(study_name="s", storage=open_storage(None, folder))
    assert study.user_attrs == {"first": 1, "second": 2} and states(folder) == ["WAITING"]
    assert "half written line is taken out" in caplog.text and TORN not in (folder / "journal.log").read_bytes()


def test_a_damaged_line_in_the_middle_is_named_and_nothing_is_cut(folder: Path) -> None:
    lines = (folder / "journal.log").read_bytes().splitlines(keepends=True)
    damaged = lines[0] + b"\x00" * 40 + b"\n" + b"".join(lines[1:])
    (folder / "journal.log").write_bytes(damaged)
    with pytest.raises(UserError, match=rf"journal\.log: line 2 of {len(lines) + 1} is damaged"):
        open_storage(None, folder)
    assert (folder / "journal.log").read_bytes() == damaged


def test_no_journal_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "journal.log").symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match=r"journal\.log is a link to .*mine"):
        open_storage(None, tmp_path / "study")
    assert (tmp_path / "mine").read_text() == "precious"


def test_out_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.WARNING)
    journal = Journal(Path("journal.log"))
    monkeypatch.chdir("/")
    journal.append_logs([{"op_code": 0, "worker_id": "x", "study_name": "s", "directions": [1]}])
    assert (tmp_path / "journal.log").read_bytes().count(b"\n") == 1 and caplog.records == []
