"""Studies as real processes, to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from studies.storage import open_storage

PATIENCE = 900.0
"""Seconds before a test gives up."""


def start(out: Path, study: str, *options: str, log: str = "log") -> subprocess.Popen[bytes]:
    """`pctrans-bench study` in a session of its own."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / log).open("ab") as stream:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.cli", "study", study),
                *("--out", str(out), "--device", "cpu", "--jobs", "1", *options),  # of two, the last counts
            ],
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A test run in the background of a script inherits an ignored SIGINT; a user's terminal does not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Process ids of its children that run trials."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"benchmarks.run.worker" in _command_line(int(pid))]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a command and its workers."""
    workers = workers_of(process)
    for pid in (process.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def trials(out: Path, study: str, url: str | None = None) -> list[FrozenTrial]:
    """Of the only study of that name."""
    folder = out / "studies" / study
    if not (folder / "study.json").exists():
        return []
    digest = json.loads((folder / "study.json").read_text())["digest"]
    try:
        return optuna.load_study(study_name=f"{study}-{digest}", storage=open_storage(url, folder)).trials
    except KeyError:  # not in its storage yet
        return []


def count(found: list[FrozenTrial], *states: TrialState) -> int:
    return sum(trial.state in states for trial in found)


def wait_for(condition: Callable[[], object], out: Path) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: with the end of the log.
    """
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError((out / "log").read_text()[-2000:])
        time.sleep(0.2)
