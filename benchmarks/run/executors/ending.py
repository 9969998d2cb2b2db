"""Why a process ended that left neither a result nor an error."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

STOP_SECONDS = 30.0
"""From a wish that a worker should end to its end by force."""
LINES = 20
BYTES = 16384
"""Of the end of an output, in which its last lines are looked for."""


class ExitStatus(IntEnum):
    """How `python -m benchmarks.run.worker` ends."""

    DONE = 0
    FAILED = 1
    CACHED = 10
    BUSY = 11
    STOPPED = 130


@dataclass(frozen=True)
class Ending:
    """The end of a process.

    Attributes:
        status: exit status, minus the signal's number where one killed it; None where nobody knows.
        why: in words.
        ours: whether it was started by us; the jobs of another command may be taken over.
    """

    status: int | None
    why: str
    ours: bool = True


def describe_status(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"the process ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the process was killed by {name}" + (", often for want of memory" if name == "SIGKILL" else "")


def log_path(folder: Path) -> Path:
    """Where the output of a job's process is kept."""
    return folder / "output.log"


def last_lines(path: Path) -> str:
    """The end of an output; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-LINES:])
    except OSError:
        return ""
