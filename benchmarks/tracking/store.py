"""The MLflow client: where the store is, made quiet and never waited for."""

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
    """A database in the results' own folder."""
    return f"sqlite:///{out.resolve() / 'mlflow.db'}"


def checked_uri(uri: str) -> str:
    """Raises UserError for what MLflow 3 refuses: folders (`file:`, plain paths) as a store."""
    if re.match(r"(sqlite|postgresql|mysql|mssql)(\+\w+)?://|https?://|databricks$|databricks://", uri):
        return uri
    raise UserError(
        f"tracking URI {shown(uri)!r}: expected a database (sqlite:///PATH.db, postgresql://...) or a server (http://...)."
        " MLflow no longer keeps runs in plain folders."
    )


def is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://", "databricks"))


def shown(uri: str) -> str:
    """The URI without a name and password, for messages and files that others may read."""
    return re.sub(r"//[^@/]*@", "//", uri)


def connect(uri: str, out: Path, experiment: str) -> tuple[MlflowClient, str]:
    """A client and the experiment's id; the experiment, and a SQLite database, are made where missing.

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
