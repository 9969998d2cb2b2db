"""`pctrans-bench track` sends everything that a results folder holds and MLflow does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.store.job_folder import JobFolder, all_job_folders, jobs_folder
from benchmarks.store.run_file import read_run, run_tables
from benchmarks.tracking.tracker import Delivery, Tracker

PATIENCE = 600.0
"""Seconds for one job: nothing else waits for it, and a long one has many points."""


@dataclass(frozen=True)
class TrackReport:
    """Numbers of jobs, a job of two tables counted in both.

    Attributes:
        sent: were sent now, in whole or in part.
        present: had been sent before.
        failed: could not be sent.
    """

    sent: int
    present: int
    failed: int


def send_all(out: Path, tracking_uri: str | None = None) -> TrackReport:
    """Send every job below `out`/jobs, those of a table (`out`/runs/TABLE.json) below the table's run.

    Raises:
        UserError: there are no jobs, a table's file is not readable, or the URI is of a kind MLflow refuses.
    """
    jobs = {folder.key: folder for folder in all_job_folders(out) if folder.begun}
    if not jobs:
        raise UserError(f"{jobs_folder(out)}: no jobs found; expected the --out folder of an earlier run.")
    tracker = Tracker(out, tracking_uri, patience=PATIENCE)
    deliveries: Counter[Delivery] = Counter()
    in_tables: set[str] = set()
    for table in run_tables(out):
        run = read_run(out, table)
        assert run is not None, "it was listed"
        members = [jobs[key] for key in run.jobs if key in jobs]
        tracker.enter_table(table, run.parameters)
        deliveries.update(_deliver(tracker, members))
        if len(members) == len(run.jobs) and all(member.done for member in members):
            tracker.finish_table()
        in_tables.update(run.jobs)
    tracker.leave_table()
    deliveries.update(_deliver(tracker, [job for key, job in jobs.items() if key not in in_tables]))
    return TrackReport(deliveries["sent"], deliveries["present"], deliveries["failed"])


def _deliver(tracker: Tracker, jobs: Iterable[JobFolder]) -> list[Delivery]:
    return [tracker.deliver(job.path) for job in jobs]
