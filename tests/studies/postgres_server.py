"""A PostgreSQL server of one's own, from the distribution's packages: loopback, a temporary folder, no password.

    python tests/studies/postgres_server.py    # starts one, prints its URL, stops it at Ctrl-C

Debian and Ubuntu: apt-get install postgresql. The server refuses to run as root, so root lends it the user postgres.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def find(program: str) -> Path | None:
    """Debian keeps the server's programs out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)
    if found:
        return found[0]
    return Path(path) if (path := shutil.which(program)) else None


def missing() -> str | None:
    """Why no server can be started here; None where one can."""
    if not (find("initdb") and find("postgres")):
        return "no PostgreSQL server is installed (apt-get install postgresql)"
    if os.geteuid() == 0 and "postgres" not in [user.pw_name for user in pwd.getpwall()]:
        return "PostgreSQL does not run as root, and there is no user postgres"
    try:
        import pg8000  # noqa: F401
    except ImportError:
        return "the driver pg8000 is not installed (pip install 'pctrans-bench[postgres]')"
    return None


@contextmanager
def server() -> Iterator[str]:
    """Run a server for as long as the context; yields the URL of its database."""
    as_user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pctrans-postgres-"))
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", _free_port()
    settings = [
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        f"port={port}",
        "-c",
        "unix_socket_directories=",
        "-c",
        "fsync=off",
    ]
    log = (folder / "log").open("wb")
    try:
        subprocess.run(
            [str(find("initdb")), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True, stdout=log, stderr=log, cwd=folder, **as_user,
        )  # fmt: skip
        process = subprocess.Popen(
            [str(find("postgres")), "-D", str(data), *settings], stdout=log, stderr=log, cwd=folder, **as_user
        )
        try:
            _wait(port, process, folder / "log")
            yield f"postgresql+pg8000://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # fast shutdown; at SIGTERM it waits for its clients
            process.wait(60)
    finally:
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(port: int, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    import pg8000.native

    until = time.monotonic() + seconds
    while True:
        try:
            pg8000.native.Connection("postgres", host="127.0.0.1", port=port, database="postgres").close()
            return
        except Exception as error:  # still starting
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not answer:\n{log.read_text()}") from error
            time.sleep(0.2)


if __name__ == "__main__":
    if reason := missing():
        raise SystemExit(reason)
    with server() as url:
        print(url, flush=True)
        with suppress(KeyboardInterrupt):
            time.sleep(10**8)
