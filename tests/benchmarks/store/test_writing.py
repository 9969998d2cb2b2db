"""Writing: what an interrupt, a kill and a full disk leave, and what is said of it."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from benchmarks.files import WriteError, append, atomic_path, remove_leftovers, write_atomic, write_json
from benchmarks.training.checkpoint import save_checkpoint

KILLED = """
import sys, os, signal
from pathlib import Path
from benchmarks.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def kill_while_writing(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_a_kill_leaves_the_old_file_and_the_next_removes_the_half(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    write_atomic(target, "old")
    kill_while_writing(target)
    assert target.read_text() == "old" and len(hidden(tmp_path)) == 1
    remove_leftovers(tmp_path)
    assert hidden(tmp_path) == [] and target.read_text() == "old"


def test_what_is_being_written_is_no_leftover(tmp_path: Path) -> None:
    for name in (".cache.tmp-notours", ".bashrc", ".a.tmp-12345678.png.bak"):
        (tmp_path / name).write_text("a user's")
    with atomic_path(tmp_path / "a.png") as temporary:
        temporary.write_bytes(b"new")
        remove_leftovers(tmp_path)
    assert (tmp_path / "a.png").read_bytes() == b"new"
    assert len(hidden(tmp_path)) == 3
    remove_leftovers(tmp_path / "not there")


def test_long_names_leave_room_for_the_temporary_one(tmp_path: Path) -> None:
    for name in ("x" * 250 + ".tif", "é" * 120 + ".png"):
        write_atomic(tmp_path / name, b"1")
        assert (tmp_path / name).read_bytes() == b"1"


@contextmanager
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond 4 KiB; pytest's own output neither, so only around what writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_file_that_may_not_grow_is_named(tmp_path: Path) -> None:
    path, model = tmp_path / "page.html", torch.nn.Linear(100, 100)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with small_files():
        with pytest.raises(WriteError, match=r"page\.html cannot be written: File too large.*raise the limit"):
            write_atomic(path, "x" * 10_000)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(WriteError, match=r"losses\.csv cannot be written"):
            append(tmp_path / "losses.csv", "x" * 10_000)
        with pytest.raises(WriteError, match=r"checkpoint\.pt cannot be written"):
            save_checkpoint(tmp_path / "checkpoint.pt", model, optimiser, None, 1, 1.0)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Make room there"),
        (errno.EDQUOT, "Make room there"),
        (errno.EIO, "The disk reports an error"),
        (errno.EROFS, "Make it writable"),
        (errno.ESTALE, "Is there room"),
    ],
)
def test_each_failure_has_its_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WriteError, match=rf"facts\.json cannot be written: {os.strerror(number)}\. {advice}"):
        write_json(tmp_path / "facts.json", {})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("a file")
    with pytest.raises(WriteError, match=r"there/facts\.json cannot be written: File exists\. Something else"):
        write_json(tmp_path / "there" / "facts.json", {})
