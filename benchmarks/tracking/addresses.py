"""Addresses of stores are understood here, and shown without what is secret in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import UserError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_KINDS = r"(sqlite|postgresql|mysql|mssql)(\+\w+)?://|https?://|databricks$|databricks://"
# A password may hold `@` and `/`, though it should not: everything up to the last `@` goes. A path of SQLite may, too.
_LOGIN = re.compile(r"(?<!sqlite)(://)(?:[^\s'\"/@:]*:[^\s'\"]*|[^\s'\"/@]*)@")
_BARE_LOGIN = re.compile(r"^[^\s/:@]+:[^\s/][^\s]*@(?=[^\s@])")
_SECRETS = re.compile(r"([?&;][\w-]*(?:pass|pwd|secret|token|key)[\w-]*=)[^&;\s'\"]*", re.IGNORECASE)


def default_uri(out: Path) -> str:
    """Return the URI of the database in the results' own folder, whatever characters its path has."""
    from sqlalchemy.engine import URL

    return URL.create("sqlite", database=str(default_database(out))).render_as_string(hide_password=False)


def default_database(out: Path) -> Path:
    """Return the file of the database in the results' own folder."""
    return out.resolve() / "mlflow.db"


def checked_uri(uri: str) -> str:
    """Return the URI.

    Raises:
        UserError: it is of a kind that MLflow 3 refuses: a folder (`file:`, a plain path) as a store; or it cannot be
            read.
    """
    if not re.match(_KINDS, uri):
        raise UserError(
            f"tracking URI {shown(uri)!r}: expected a database (sqlite:///PATH.db, postgresql://...) or a server"
            " (http://...). MLflow no longer keeps runs in plain folders."
        )
    if not is_server(uri):
        _parsed(uri)
    return uri


def is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://", "databricks"))


def database_file(uri: str) -> Path | None:
    """Return the file of a SQLite database, or None for another kind of store."""
    if not uri.startswith("sqlite"):
        return None
    name = _parsed(uri).database
    return Path(name).absolute() if name and name != ":memory:" and not name.startswith("file:") else None


def is_inside(uri: str, out: Path) -> bool:
    """Say whether the store is a database in the results folder, which moves along with it."""
    database = database_file(uri)
    return database is not None and (database.parent.resolve() / database.name).is_relative_to(out.resolve())


def shown(text: str) -> str:
    """Return a URI, or a text with URIs, without names and passwords, for messages that others may read."""
    return _SECRETS.sub(r"\1***", _BARE_LOGIN.sub("", _LOGIN.sub(r"\1", text)))


def _parsed(uri: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(uri)
    except (ArgumentError, ValueError) as error:
        raise UserError(
            f"tracking URI {shown(uri)!r} cannot be read as that of a database; expected, for example,"
            " sqlite:////FOLDER/mlflow.db or postgresql://USER:PASSWORD@HOST/DATABASE, with @, /, ? and % in names and"
            " passwords written as %40, %2F, %3F and %25."
        ) from error
