"""MLflow's web pages on this machine."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.tracking.store import ENVIRONMENT, checked_uri, default_uri, is_server

HOST = "127.0.0.1"


def serve_ui(out: Path, *, port: int = 5000, tracking_uri: str | None = None) -> int:
    """Show the runs at http://127.0.0.1:`port` until interrupted (Ctrl-C), and return MLflow's exit status.

    Raises:
        UserError: there is no database yet, the port is taken, or the URI is a server with its own pages.
    """
    uri = checked_uri(tracking_uri or default_uri(out))
    if is_server(uri):
        raise UserError(f"{uri} is a server with pages of its own: open it in a browser.")
    database = re.fullmatch(r"sqlite(?:\+\w+)?:///(.+)", uri)
    if database is not None and not Path(database[1]).is_file():
        raise UserError(
            f"{database[1]}: no tracking database. `pctrans-bench run` makes one in its --out folder, and"
            " `pctrans-bench track --out DIR` fills one from results that are there."
        )
    _require_free(port)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--workers", "1", "--artifacts-destination", str(out.resolve() / "mlflow-artifacts")]
    environment = {**ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    # Not an argument, which everyone on the machine could read: it may hold a password.
    environment["MLFLOW_BACKEND_STORE_URI"] = uri
    with subprocess.Popen(command, env=environment) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            # The terminal interrupts the server as well; it is left to close its database.
            server.terminate()
            return 0 if server.wait() <= 0 else server.returncode


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as problem:
            raise UserError(
                f"port {port} on {HOST} cannot be used ({problem.strerror}): choose another one with --port."
            ) from problem
