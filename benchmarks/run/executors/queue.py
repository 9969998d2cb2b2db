"""What SLURM says of its jobs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Protocol

ASK_SECONDS = 5.0
"""Between two questions to SLURM, whose controller serves many."""
TIMEOUT_SECONDS = 60.0

RUNNING = {"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "SUSPENDED", "STOPPED", "RESIZING"}
QUEUED = {
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESV_DEL_HOLD",
    "SPECIAL_EXIT",
}
"""States from which a job may still come to run; in all others, and where SLURM does not know it, it has ended."""
FORGOTTEN = "forgotten"


class Queue(Protocol):
    """Where jobs are waiting and running."""

    def state(self, job_id: str) -> str | None:
        """A job's state in SLURM's words, or FORGOTTEN; None where there is no answer now."""


class SlurmQueue:
    """The user's jobs, asked for all together and not too often."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at = float("-inf")
        self._states: dict[str, str] | None = None

    def state(self, job_id: str) -> str | None:
        """As `Queue`."""
        if self._clock() - self._asked_at >= ASK_SECONDS:
            self.ask()
        return None if self._states is None else self._states.get(job_id, FORGOTTEN)

    def ask(self) -> None:
        """Ask now."""
        self._asked_at = self._clock()
        # Some time after its end SLURM forgets a job, and to ask for it by name is an error; so all are asked for.
        answer = _run(["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T"])
        self._states = None if answer is None else parse_states(answer)


def parse_states(text: str) -> dict[str, str]:
    """{"12_3": "RUNNING"} of lines "12_3|RUNNING"; others are left out."""
    pairs = [line.strip().partition("|") for line in text.splitlines()]
    return {job_id: state for job_id, bar, state in pairs if bar and job_id and state}


def cancel(job_ids: Sequence[str]) -> None:
    """End jobs, queued or running; those that have ended already do not matter."""
    if job_ids:
        _run(["scancel", "--quiet", *job_ids])


def _run(command: list[str]) -> str | None:
    """Its output; None where it failed."""
    try:
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=True, timeout=TIMEOUT_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
