"""The MLflow client is made here, quiet and never waited for, and URIs of stores are understood."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Settings of MLflow that keep a training from waiting for it; one that the user has set stays."""


def default_uri(out: Path) -> str:
    """Return the URI of the database in the results' own folder."""
    return f"sqlite:///{out.resolve() / 'mlflow.db'}"


def checked_uri(uri: str) -> str:
    """Return the URI.

    Raises:
        UserError: it is of a kind that MLflow 3 refuses: a folder (`file:`, a plain path) as a store.
    """
    if re.match(r"(sqlite|postgresql|mysql|mssql)(\+\w+)?://|https?://|databricks$|databricks://", uri):
        return uri
    raise UserError(
        f"tracking URI {shown(uri)!r}: expected a database (sqlite:///PATH.db, postgresql://...) or a server (http://...)."
        " MLflow no longer keeps runs in plain folders."
    )


def is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://", "databricks"))


def database_file(uri: str) -> Path | None:
    """Return the file of a SQLite database, or None for another kind of store."""
    found = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", uri)
    return Path(found[1]) if found else None


def is_inside(uri: str, out: Path) -> bool:
    """Say whether the store is a database in the results folder, which moves along with it."""
    database = database_file(uri)
    return database is not None and database.resolve().is_relative_to(out.resolve())


def shown(uri: str) -> str:
    """Return the URI without a name and password, for messages that others may read."""
    return re.sub(r"//[^@/]*@", "//", uri)


def connect(uri: str, out: Path, experiment: str) -> tuple[MlflowClient, str]:
    """Return a client and the experiment's id. The experiment, and a SQLite database, are made where missing.

    A server decides itself where artifacts go; with a database they go to `out`/mlflow-artifacts.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    from mlflow import MlflowClient

    if not is_server(uri):
        out.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    if found is not None:
        return client, found.experiment_id
    location = None if is_server(uri) else (out.resolve() / "mlflow-artifacts").as_uri()
    return client, client.create_experiment(experiment, artifact_location=location)
