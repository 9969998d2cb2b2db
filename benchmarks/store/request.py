"""A job as a file in its folder, for the process that runs it."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.files import write_json
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import parse_job


def request_path(folder: Path) -> Path:
    return folder / "request.json"


def write_request(planned: PlannedJob, out: Path) -> Path:
    """Ask for a job; returns its folder."""
    folder = planned.job.folder(out)
    document = {"row": planned.row, "label": planned.label, "job": planned.job.resolved()}
    write_json(request_path(folder), document)
    return folder


def read_request(folder: Path) -> PlannedJob:
    """The job that is asked for in its folder.

    Raises:
        UserError: there is none, or none that this version of the code knows by this key.
    """
    path = request_path(folder)
    try:
        document = json.loads(path.read_text())
        planned = PlannedJob(int(document["row"]), str(document["label"]), parse_job(document["job"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: expected the request for a job ({error}).") from error
    if planned.job.key != folder.name:
        raise UserError(
            f"{path}: to this version of the code the job has the key {planned.job.key}, so it was asked for by "
            "another version. Run the command again with this one."
        )
    return planned
