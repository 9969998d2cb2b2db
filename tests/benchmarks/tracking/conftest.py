"""A results folder with a database."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.tracking import Tracker


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as MLflow makes it, which takes seconds; tests work on copies."""
    out = tmp_path_factory.mktemp("database")
    Tracker(out, experiment="warm-up").start_table("none", {})
    return out / "mlflow.db"


@pytest.fixture
def out(tmp_path: Path, empty_database: Path) -> Path:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path
