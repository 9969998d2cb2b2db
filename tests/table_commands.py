"""`pctrans-bench` as a process, to be waited for, interrupted and killed: for tests of many jobs, here and on SLURM."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DATA = "synthetic-nuclei?size=64&train=2&val=1&test=1"
RUN = ["run", "table4", "--data", DATA, "--scale", "smoke", "--device", "cpu", "--jobs", "1"]
PATIENCE = 1500.0
"""Seconds before a test gives up."""


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A test run in the background of a script inherits an ignored SIGINT; a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it printed, once it has ended with `code`."""
    text, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, text
    return text


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def weights(out: Path) -> dict[str, str]:
    """Digest of what each finished job learned; its scores at this scale are all zero."""
    models = [path.parent / "model" / "model.safetensors" for path in out.glob("jobs/*/result.json")]
    return {model.parents[1].name: hashlib.sha256(model.read_bytes()).hexdigest() for model in models}
