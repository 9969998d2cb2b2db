"""MLflow's own server, as people share one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient
from tracked import TABLE, write_job

from benchmarks.machine.children import child_environment
from benchmarks.tracking import Tracker

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--artifacts-destination", str(folder)]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment = child_environment({**os.environ, **quiet})
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True, cwd=folder)
        try:
            until = time.monotonic() + 90
            while True:
                try:
                    with urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                        break
                except OSError:
                    assert time.monotonic() < until and process.poll() is None, (folder / "log").read_text()[-2000:]
                    time.sleep(0.3)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_jobs_arrive_and_nothing_is_printed(tmp_path: Path, server: str, capfd: pytest.CaptureFixture[str]) -> None:
    tracker = Tracker(tmp_path, server)
    tracker.start_table("table4", TABLE)
    assert tracker.sync(write_job(tmp_path, "aaa")) and tracker.finish_table(
        [tmp_path / "jobs" / "aaa" / "metrics.csv"]
    )
    assert capfd.readouterr() == ("", "")
    client = MlflowClient(server)
    found = client.search_runs([client.get_experiment_by_name("pctrans-bench").experiment_id])
    (run,) = [run for run in found if "pctrans_bench.key" in run.data.tags]
    assert run.data.metrics["test/pq"] == 0.7
    assert {entry.path for entry in client.list_artifacts(run.info.run_id)} >= {"result.json", "overlays"}
    assert not (tmp_path / "mlflow-artifacts").exists()


def test_an_experiment_that_was_deleted_there_is_restored(tmp_path: Path, server: str) -> None:
    assert Tracker(tmp_path, server).sync(write_job(tmp_path, "aaa"))
    client = MlflowClient(server)
    client.delete_experiment(client.get_experiment_by_name("pctrans-bench").experiment_id)
    assert Tracker(tmp_path, server).sync(write_job(tmp_path, "bbb"))
