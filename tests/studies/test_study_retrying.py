"""A storage that is away for a moment, and one that stays away."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from benchmarks.errors import UserError
from studies import retrying, storage
from studies.retrying import retried


def away(times: int) -> Any:
    """An action that fails so many times."""
    failures = iter([optuna.exceptions.StorageInternalError("no route to host")] * times)

    def act() -> str:
        if (failure := next(failures, None)) is not None:
            raise failure
        return "answer"

    return act


def denied() -> None:
    raise PermissionError(errno.EACCES, "Permission denied", "claims.lock")


def test_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "PAUSE_SECONDS", 0.0)
    assert retried(away(3)) == "answer"
    with pytest.raises(PermissionError):  # nor will this one pass
        retried(denied)
    with pytest.raises(ZeroDivisionError):  # another failure is none of the storage's
        retried(lambda: 1 / 0)


def test_longer_is_an_error_that_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "RETRY_SECONDS", 0.0)
    with pytest.raises(UserError, match=r"not answered .* no route to host.* the same command goes on"):
        retried(away(1))


def test_tables_that_another_machine_makes_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.time, "sleep", lambda _: None)
    failures: list[Exception] = [
        IntegrityError("CREATE TABLE", {}, Exception("duplicate key value violates pg_type_typname_nsp_index")),
        OperationalError("CREATE TABLE", {}, Exception("table studies already exists")),
        OperationalError("SELECT", {}, Exception("connection refused")),
    ]

    def get_storage(url: str) -> str:
        if len(failures) > 1:
            raise failures.pop(0)
        return url

    monkeypatch.setattr(optuna.storages, "get_storage", get_storage)
    assert storage.open_storage("sqlite:///x", tmp_path) == "sqlite:///x"
    with pytest.raises(OperationalError, match="refused"):
        monkeypatch.setattr(optuna.storages, "get_storage", lambda _: (_ for _ in ()).throw(failures[0]))
        storage._connect("sqlite:///x")
