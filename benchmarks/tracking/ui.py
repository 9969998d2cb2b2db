"""MLflow's web pages are served on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.files import exclusive
from benchmarks.machine.children import child_environment
from benchmarks.tracking.addresses import checked_uri, database_file, default_uri, is_inside, is_server, shown
from benchmarks.tracking.artifacts import FOLDER, OwnArtifacts
from benchmarks.tracking.database import mlflow_uri, refuse_links
from benchmarks.tracking.identity import folder_id
from benchmarks.tracking.store import ENVIRONMENT, prepare, taken_uri
from benchmarks.tracking.tracker import EXPERIMENT
from benchmarks.tracking.views import save_views

HOST = "127.0.0.1"

ADDRESS = "http://{host}:{port}/#{page}"
PAGE = "/experiments?workflowType=machine_learning"
"""Without the last part MLflow 3 opens its pages for language models, which show no runs."""

QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
"""No workers for language-model evaluations, and no deprecations that only MLflow's authors can act on."""


def serve_ui(out: Path, *, port: int = 5000, tracking_uri: str | None = None) -> int:
    """Show the runs at http://127.0.0.1:`port` until interrupted (Ctrl-C).

    Returns:
        0, or MLflow's exit status where it ended by itself.

    Raises:
        UserError: there is no database yet, the port is taken, or the URI is a server with its own pages.
    """
    uri = checked_uri(tracking_uri or default_uri(out))
    if is_server(uri):
        raise UserError(f"{shown(uri)} is a server with pages of its own: open it in a browser.")
    database = database_file(uri)
    if database is not None and not database.is_file():
        raise UserError(
            f"{database}: no tracking database. `pctrans-bench run` makes one in its --out folder, and"
            " `pctrans-bench track --out DIR` fills one from results that are there."
        )
    _require_free(port)
    pages: dict[str, str] = {}
    if database is not None and is_inside(uri, out):
        _find_files(database, out)
        pages = _save_views(database, out)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--workers", "1", "--artifacts-destination", str(out.resolve() / FOLDER)]
    # uvicorn searches the current folder for modules, before all others, unless it is given something else.
    command += ["--uvicorn-opts", f"--log-level warning --app-dir {os.devnull}"]
    environment = child_environment({**ENVIRONMENT, **QUIET, **os.environ})
    # Not an argument, which everyone on the machine could read: it may hold a password.
    environment["MLFLOW_BACKEND_STORE_URI"] = taken_uri(uri)
    # A service manager ends this process like Ctrl-C does, so that it does not leave the server behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"MLflow's pages (Ctrl-C ends): {ADDRESS.format(host=HOST, port=port, page=PAGE)}", flush=True)
    for table, page in pages.items():
        print(f"  {table}, its jobs with their metrics: {ADDRESS.format(host=HOST, port=port, page=page)}", flush=True)
    with subprocess.Popen(command, env=environment) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            # The terminal interrupts the server as well; it is left to close its database.
            server.terminate()
            server.wait()
            return 0


def _find_files(database: Path, out: Path) -> None:
    """Have the pages show the files of a results folder that was moved or received, and no others."""
    from sqlalchemy.exc import SQLAlchemyError

    refuse_links(database)
    # What cannot be written can be shown all the same.
    with suppress(OSError, SQLAlchemyError), exclusive(out / "tracking.lock"):
        OwnArtifacts(mlflow_uri(database), out).tell_all(folder_id(out))


def _save_views(database: Path, out: Path) -> dict[str, str]:
    """Have the pages show each table's jobs with their metrics; return the pages by table."""
    prepare()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # What cannot be written can be shown all the same, without columns.
    with suppress(OSError, UserError, MlflowException, SQLAlchemyError), exclusive(out / "tracking.lock"):
        client = MlflowClient(mlflow_uri(database))
        if experiment := client.get_experiment_by_name(EXPERIMENT):
            return save_views(client, experiment.experiment_id, out)
    return {}


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as problem:
            raise UserError(
                f"port {port} on {HOST} cannot be used ({problem.strerror}): choose another one with --port."
            ) from problem
