"""The MLflow client is made here, quiet and never waited for."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tracking.addresses import database_file, is_inside, is_server
from benchmarks.tracking.artifacts import FOLDER
from benchmarks.tracking.database import make_where_missing, mlflow_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Settings of MLflow that keep a training from waiting for it; one that the user has set stays."""

logger = logging.getLogger("pctrans_bench")


def prepare() -> None:
    """Import MLflow, which takes seconds, with its settings."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    import mlflow  # noqa: F401


def taken_uri(uri: str) -> str:
    """Return a store's URI as MLflow takes it; a SQLite database lies in a folder that is there already."""
    database = database_file(uri)
    return uri if database is None or "?" in uri else mlflow_uri(database)  # after ? are options of SQLite's own


def connect(uri: str, out: Path, experiment: str) -> tuple[MlflowClient, str]:
    """Return a client and the experiment's id. The experiment, and a SQLite database, are made where missing.

    An experiment that was deleted is taken back, with its runs. A server decides itself where artifacts go; with a
    database they go to `out`/mlflow-artifacts.

    Raises:
        UserError: the database in `out` is a link.
    """
    prepare()
    from mlflow import MlflowClient

    if not is_server(uri):
        out.mkdir(parents=True, exist_ok=True)
    location = None if is_server(uri) else (out.resolve() / FOLDER).as_uri()
    database = database_file(uri)
    if database is not None:
        database.parent.mkdir(parents=True, exist_ok=True)
        make_where_missing(
            database,
            lambda new: MlflowClient(new).create_experiment(experiment, artifact_location=location),
            ours=is_inside(uri, out),
        )
    client = MlflowClient(taken_uri(uri))
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return client, client.create_experiment(experiment, artifact_location=location)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        logger.warning("The experiment %r had been deleted in MLflow: it is restored.", experiment)
    return client, found.experiment_id
