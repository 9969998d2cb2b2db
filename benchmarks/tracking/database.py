"""The SQLite database of a results folder: made whole or not at all, whatever characters its path has.

MLflow makes a database in some forty steps that cannot be taken up again. A process that is killed in them leaves one
that no later call can open, so that it is made under another name.
"""

from __future__ import annotations

import atexit
import logging
import re
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache
from glob import escape
from pathlib import Path
from urllib.parse import quote

from benchmarks.errors import UserError
from benchmarks.files import exclusive

SIDECARS = ("-journal", "-wal", "-shm")
"""SQLite keeps these beside a database and applies them to any of that name."""
BUSY_SECONDS = 20.0
PLAIN = r"[\w./ +,=@~-]*"
"""Paths that SQLAlchemy and MLflow read from a URI as they stand."""

logger = logging.getLogger("pctrans_bench")


def mlflow_uri(database: Path) -> str:
    """Return the URI of a SQLite database as MLflow takes it; it is good for as long as this process lives.

    MLflow makes folders of what a URI spells %3F: a folder that is not plain is given to it through a link.

    Args:
        database: the file; its folder is there already.
    """
    return f"sqlite:///{_plain(database.parent.resolve())}/{quote(database.name)}"


@cache
def _plain(folder: Path) -> Path:
    """Return the folder, or a link to it in a temporary folder."""
    if re.fullmatch(PLAIN, str(folder)):
        return folder
    place = Path(tempfile.mkdtemp(prefix="pctrans-bench-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    link = place / "results"
    link.symlink_to(folder)
    return link


def make_where_missing(database: Path, make: Callable[[str], object], *, ours: bool) -> None:
    """Make a database where there is none, or an unusable one without a run, which is set aside.

    Args:
        database: the file; whoever makes it at the same moment takes turns with this process.
        make: makes a database at a URI.
        ours: whether only this harness makes databases there, each with an experiment.

    Raises:
        UserError: it, or what SQLite keeps beside it, is a link.
    """
    if ours:
        refuse_links(database)
    with exclusive(database.with_name(f".{database.name}.lock")):
        if database.exists() and _is_unusable(database, ours=ours):
            _set_aside(database)
        if not database.exists():
            _make(database, make)


def refuse_links(database: Path) -> None:
    """Refuse a database of results that lies elsewhere.

    Raises:
        UserError: it, or what SQLite keeps beside it, is a link.
    """
    for path in _with_sidecars(database):
        if path.is_symlink():
            raise UserError(f"{path} is a link to {path.readlink()}; expected a database of its own. Delete the link.")


def _make(database: Path, make: Callable[[str], object]) -> None:
    prefix = f".{database.name}.new-"
    for left in database.parent.glob(f"{escape(prefix)}*"):  # by a process that was killed: the lock is this one's
        left.unlink()
    # MLflow keeps connections by URI: another name each time.
    new = database.with_name(f"{prefix}{secrets.token_hex(4)}")
    make(mlflow_uri(new))
    for left in _with_sidecars(database)[1:]:
        left.unlink(missing_ok=True)
    new.rename(database)


def _is_unusable(database: Path, *, ours: bool) -> bool:
    """Say whether a database was never finished, and holds no run.

    Raises:
        sqlite3.OperationalError: it cannot be read now, as it is locked or the disk fails.
    """
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            # A migration moves runs from one of these tables to the other.
            if any(_has_rows(connection, name) for name in ("runs", "_alembic_tmp_runs") if name in tables):
                return False
            if any(name.startswith("_alembic_tmp_") for name in tables):
                return True
            return ours and not ("experiments" in tables and _has_rows(connection, "experiments", "name <> 'Default'"))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            return ours
        raise


def _has_rows(connection: sqlite3.Connection, table: str, condition: str = "TRUE") -> bool:
    return connection.execute(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1").fetchone() is not None


def _set_aside(database: Path) -> None:
    aside = database.with_name(f"{database.name}.unusable-{secrets.token_hex(4)}")
    for path, suffix in zip(_with_sidecars(database), ("", *SIDECARS), strict=True):
        if path.exists():
            path.rename(aside.with_name(aside.name + suffix))
    logger.warning(
        "%s holds no run and cannot be used, as its making was interrupted: it is now %s, and a new one is made.",
        database,
        aside.name,
    )


def _with_sidecars(database: Path) -> list[Path]:
    return [database.with_name(database.name + suffix) for suffix in ("", *SIDECARS)]
