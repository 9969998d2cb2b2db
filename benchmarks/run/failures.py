"""Failures of jobs in other processes, and of jobs that never began: they are recorded, told and not repeated."""

from __future__ import annotations

from pathlib import Path

from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import Job
from benchmarks.run.execution import Outcome
from benchmarks.store.documents import UnreadableError
from benchmarks.store.job_folder import JobFolder


def read_failure(folder: JobFolder) -> Outcome | None:
    """The failure that a job's folder tells of."""
    try:
        failure = folder.read_failure()
    except UnreadableError as error:
        return Outcome("failed", f"{folder.path}: {error}")
    return Outcome("failed", failure.summary) if failure else None


def record_early_failure(planned: PlannedJob, folder: JobFolder, kind: str, message: str, details: str) -> Outcome:
    """Record the failure of a job that never began, with job.json for whoever looks at it."""
    if not folder.begun:
        folder.describe(planned.job, planned.label)
    return Outcome("failed", folder.write_failure(kind, message, details).summary)


class Failures:
    """Tells new failures from those of earlier commands, which are tried again.

    A failure is told apart by the time of its file, compared with itself only: clocks of machines differ.
    """

    def __init__(self, out: Path):
        self._out = out
        self._before: dict[str, int | None] = {}

    def note(self, job: Job) -> None:
        """Take the failure that a job has now for one of an earlier command."""
        self._before[job.key] = self._time(job)

    def new(self, job: Job) -> Outcome | None:
        """How a noted job failed meanwhile."""
        if self._time(job) in (None, self._before[job.key]):
            return None
        return read_failure(JobFolder.of(job, self._out))

    def _time(self, job: Job) -> int | None:
        try:
            return JobFolder.of(job, self._out).failure.stat().st_mtime_ns
        except FileNotFoundError:
            return None
