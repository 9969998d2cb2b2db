"""Failures of jobs in other processes, and of jobs that never began: they are recorded, told and not repeated."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.execution import Outcome, describe_job, record_failure


def read_failure(folder: Path) -> Outcome | None:
    """The failure that a job's folder tells of."""
    try:
        error = json.loads((folder / "error.json").read_text())
        return Outcome("failed", f"{error['type']}: {error['message']}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as damage:
        return Outcome("failed", f"{folder / 'error.json'} cannot be read ({damage})")


def record_early_failure(planned: PlannedJob, folder: Path, kind: str, message: str, details: str) -> Outcome:
    """Record a failure as `record_failure` does, with job.json for whoever looks at a job that never began."""
    if not (folder / "job.json").exists():
        describe_job(planned.job, planned.label, folder)
    return record_failure(folder, kind, message, details)


class Failures:
    """Tells failures since it was made from those of earlier commands, which are tried again.

    A failure is told apart by the time of its file, compared with itself only: clocks of machines differ.
    """

    def __init__(self, jobs: Iterable[PlannedJob], out: Path):
        self._out = out
        self._before = {planned.job.key: self._time(planned) for planned in jobs}

    def new(self, planned: PlannedJob) -> Outcome | None:
        """How a job failed elsewhere meanwhile."""
        if self._time(planned) in (None, self._before[planned.job.key]):
            return None
        return read_failure(planned.job.folder(self._out))

    def _time(self, planned: PlannedJob) -> int | None:
        try:
            return (planned.job.folder(self._out) / "error.json").stat().st_mtime_ns
        except FileNotFoundError:
            return None
