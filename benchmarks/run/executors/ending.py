"""Why a process ended that left neither a result nor an error."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import IntEnum

STOP_SECONDS = 30.0
"""From a wish that a worker should end to its end by force."""


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
