"""A job as a file in its folder, for the process that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.errors import UserError
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import parse_job
from benchmarks.store.documents import Document, UnreadableError, read_document, write_document
from benchmarks.store.job_folder import JobFolder


class Request(Document):
    """What request.json holds."""

    row: int
    label: str
    job: dict[str, Any]
    validated: bool = False


def write_request(planned: PlannedJob, out: Path) -> JobFolder:
    """Ask for a job; returns its folder."""
    folder = JobFolder.of(planned.job, out)
    request = Request(row=planned.row, label=planned.label, job=planned.job.resolved(), validated=planned.validated)
    write_document(folder.request, request)
    return folder


def read_request(folder: JobFolder) -> PlannedJob:
    """The job that is asked for in its folder.

    Raises:
        UserError: there is none, or none that this version of the code knows by this key.
    """
    try:
        request = read_document(folder.request, Request)
        planned = PlannedJob(request.row, request.label, parse_job(request.job), validated=request.validated)
    except (FileNotFoundError, UnreadableError, ValueError) as error:
        raise UserError(f"{folder.request}: expected the request for a job ({error}).") from error
    if planned.job.key != folder.key:
        raise UserError(
            f"{folder.request}: to this version of the code the job has the key {planned.job.key}, so it was asked for "
            "by another version. Run the command again with this one."
        )
    return planned


def has_all(planned: PlannedJob, folder: JobFolder) -> bool:
    """Whether everything that was asked for is there."""
    return folder.done and (not planned.validated or folder.validation_scores.exists())
