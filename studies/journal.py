"""A study's storage in a file: Optuna's journal, whose lock is never held by the dead and whose last line is whole.

Optuna follows the link that is its lock. One whose target is elsewhere, as it is after `--out results` or a move, it
awaits for ever; a line that a killed process left half written it continues, and can read neither afterwards.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from benchmarks.errors import UserError
from benchmarks.files import write_atomic
from benchmarks.links import open_without_links

GRACE_SECONDS = 30.0
"""A lock that has not changed for so long is that of a process which died, or of a machine that is gone."""
PAUSE_SECONDS = 0.001, 0.5
"""Between two looks at a lock that another process holds: the first, and the longest."""
RECORD = b'{"op_code":'
"""Every line begins so."""

logger = logging.getLogger("pctrans_bench")


class JournalLock(JournalFileSymlinkLock):
    """Optuna's lock, a symbolic link beside the journal, so that commands of earlier versions take turns with this one.

    The link itself is looked at, never what it points to. Clocks are not compared: a lock is stale that this process
    has seen unchanged for GRACE_SECONDS.

    Args:
        path: of the journal.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._link = path.with_name(f"{path.name}.lock")
        self._own: tuple[int, int] | None = None

    def acquire(self) -> bool:
        """Wait for the lock; returns True.

        Raises:
            OSError: the folder cannot be written.
        """
        pause, longest = PAUSE_SECONDS
        seen, since = None, time.monotonic()
        while not self._made():
            mark = self._mark()
            if mark != seen:
                seen, since = mark, time.monotonic()
            elif mark is not None and time.monotonic() - since > GRACE_SECONDS:
                self._break(mark)
                seen = None
            time.sleep(pause)
            pause = min(2 * pause, longest)
        self._own = self._mark()
        return True

    def release(self) -> None:
        """Give the lock back. If this process stood still and was taken for dead, it is another's now and stays."""
        if self._own is not None and self._mark() == self._own:
            self._link.unlink(missing_ok=True)
        self._own = None

    def _made(self) -> bool:
        try:
            self._link.symlink_to(self._lock_target_file)
        except FileExistsError:
            return False
        return True

    def _mark(self) -> tuple[int, int] | None:
        return self._mark_of(self._link)

    def _mark_of(self, link: Path) -> tuple[int, int] | None:
        """What tells one lock from the next; None where there is none."""
        try:
            status = link.lstat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _break(self, mark: tuple[int, int]) -> None:
        """Take a dead process' lock away, by a rename, which only one of those that wait succeeds in."""
        logger.warning("%s has not been released for %.0f seconds: its process died.", self._link, GRACE_SECONDS)
        aside = self._link.with_name(f"{self._link.name}.{secrets.token_hex(4)}")
        with suppress(FileNotFoundError):
            self._link.rename(aside)
            if self._mark_of(aside) != mark:  # another was faster, and this is the lock of one that lives
                with suppress(FileExistsError):
                    os.link(aside, self._link, follow_symlinks=False)
            aside.unlink()


class Journal(JournalFileBackend):
    """Optuna's journal, which is mended before it is read and before it is written.

    Args:
        path: of the file, made where it is missing. Not through a link, and in a folder of the results.

    Raises:
        UserError: a line is damaged that is not the last, or the file is a link.
    """

    def __init__(self, path: Path) -> None:
        path = path.parent.resolve() / path.name
        self._path, self._turns = path, JournalLock(path)
        open_without_links(path).close()
        super().__init__(str(path), self._turns)
        with self._locked():
            self._cut_torn_line()
            self._mend_lines()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add records, each a line, to whole lines only."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._locked():
            self._cut_torn_line()
            with self._path.open("ab") as file:
                file.write(lines.encode())
                file.flush()
                os.fsync(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    def _cut_torn_line(self) -> None:
        """Cut what a process that died wrote without an end: nobody has read it."""
        with self._path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return
            file.seek(size - 1)
            if file.read() == b"\n":
                return
            file.seek(0)
            whole = file.read().rfind(b"\n") + 1
            file.truncate(whole)
        self._tell(f"its last line was half written and is cut, {size - whole} bytes")

    def _mend_lines(self) -> None:
        """Take half lines away that earlier versions continued, and with them nothing that anybody could read."""
        lines = self._path.read_bytes().splitlines(keepends=True)
        mended = list(lines)
        for number, line in enumerate(lines):
            if _is_record(line):
                continue
            rest = line[line.rfind(RECORD) :] if RECORD in line else b""
            if not _is_record(rest):
                rest = b""
            if not rest and number < len(lines) - 1:
                raise UserError(
                    f"{self._path}: line {number + 1} of {len(lines)} is damaged; expected a JSON object. A copy of "
                    "the file from before helps, or another --out folder: trials whose jobs are finished are not "
                    "trained again where OUT/jobs is copied there."
                )
            mended[number] = rest
        if mended != lines:
            write_atomic(self._path, b"".join(mended))
            self._tell("a half written line is taken out")

    def _tell(self, what: str) -> None:
        logger.warning(
            "%s: a command died while it wrote: %s. The study goes on from the line before.", self._path, what
        )


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
