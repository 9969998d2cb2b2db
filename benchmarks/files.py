"""Writing so that an interrupt leaves the old file or the new one, never a half, and a power cut no less."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError
from benchmarks.links import open_without_links

_MARK = ".tmp-"
_TEMPORARY = re.compile(r"\..*\.tmp-[a-z0-9_]{8}(\.[^.]*)?", re.DOTALL)
_NAME_BYTES = 120
"""Of a file's name in that of its temporary: file systems allow 255 bytes in all."""

_NO_ROOM = "Make room there, or give another folder; the same command then goes on."
_NO_RIGHT = "Make it writable, or give another folder."
_IN_THE_WAY = "Something else is where a folder or file belongs: move it away, or give another folder."
_ADVICE = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EFBIG: "The file would be larger than the system allows (`ulimit -f`): raise the limit.",
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: _NO_RIGHT,
    errno.EIO: "The disk reports an error: look after it, save what is there, and go on in a folder of another disk.",
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENAMETOOLONG: "Give the file a shorter name.",
}


class WriteError(UserError, OSError):
    """A file could not be written: the message names it and says what to do."""


@contextmanager
def naming_failures(path: Path) -> Iterator[None]:
    """Turn failures of the system in this block, which writes `path`, into errors that name it.

    Raises:
        WriteError: in the place of an OSError.
    """
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        advice = _ADVICE.get(error.errno or 0, "Is there room, and does the disk work? The same command then goes on.")
        raise WriteError(f"{path} cannot be written: {reason}. {advice}") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, with its suffix; move it into place if the block succeeds.

    When it is in place, it is on the disk too, name and content.

    Raises:
        WriteError: the system refuses, in the block or here.
    """
    with naming_failures(path):
        make_folder(path.parent)
        with _temporary_beside(path) as temporary:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            # mkstemp makes private files; results are meant to be shared in a group's folder.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
            sync_folder(path.parent)


@contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    """Make a file that is locked while it is in use, so that `remove_leftovers` knows those of the dead."""
    shown = path.name.encode()[:_NAME_BYTES].decode(errors="ignore")
    held, name = tempfile.mkstemp(prefix=f".{shown}{_MARK}", suffix=path.suffix, dir=path.parent)
    temporary = Path(name)
    try:
        with suppress(OSError):  # where there are no locks, nothing is taken for a leftover either
            fcntl.flock(held, fcntl.LOCK_SH)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        os.close(held)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of writers that were killed, directly in `folder`; those in use stay."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if not _TEMPORARY.fullmatch(path.name):
            continue
        with suppress(OSError):
            held = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            finally:
                os.close(held)


def make_folder(folder: Path) -> None:
    """Make a folder with those above it, each on the disk as soon as it is there."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; file systems that cannot are left alone."""
    held = os.open(folder, os.O_RDONLY)
    try:
        with suppress(PermissionError):
            os.fsync(held)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(held)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, waiting for another process that does; it goes with the process.

    Raises:
        UserError: `path` is a link.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_without_links(path) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def append(path: Path, text: str) -> None:
    """Add text to the end of a file.

    Raises:
        WriteError: the system refuses.
    """
    with naming_failures(path), path.open("a", newline="", encoding="utf-8") as file:
        file.write(text)


def sync_file(path: Path) -> None:
    """Bring the content of a file to the disk.

    Raises:
        WriteError: the system refuses.
    """
    with naming_failures(path), path.open("rb") as file:
        os.fsync(file.fileno())


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write text (UTF-8) or bytes to `path` in one step."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def spreadsheet_cell(value: Any) -> Any:
    """Return a cell for a CSV file: an apostrophe before text that spreadsheets take for a formula, such as "=1+1"."""
    risky = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if risky else value


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON in one step; NaN is refused, as no reader agrees on it."""
    write_atomic(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def file_digest(path: Path) -> str:
    """The SHA-256 (hex) of a file's content.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
