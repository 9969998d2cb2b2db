"""A tracker tells MLflow of tables, and of the jobs below them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from benchmarks.errors import UserError
from benchmarks.plan.nested import flatten
from benchmarks.store.job_folder import JobFolder
from benchmarks.tracking.addresses import default_uri
from benchmarks.tracking.connection import PATIENCE, Connection
from benchmarks.tracking.job import TrackedJob
from benchmarks.tracking.runs import KnownRun, Runs
from benchmarks.tracking.sending import Note, describe, now, send_job, send_note

logger = logging.getLogger("pctrans_bench")

EXPERIMENT = "pctrans-bench"
"""MLflow's name for what a results folder sends, unless it is given another."""

Delivery = Literal["sent", "present", "failed"]


class Tracker:
    """Tells MLflow what job folders hold; what cannot be told now is told by a later call.

    A table is a run, and each of its jobs a run below it. No method waits longer than `patience`, and none raises
    because of the store: the first failure is a warning on the logger `pctrans_bench`.
    Processes that share `out` take turns.

    Args:
        out: the results' folder, with `jobs/`.
        tracking_uri: a database or a server; by default the database `out`/mlflow.db.
        experiment: MLflow's name for everything that is sent.
        patience: seconds that one of the methods may take.

    Raises:
        UserError: the URI is of a kind that MLflow refuses.
    """

    def __init__(
        self,
        out: Path,
        tracking_uri: str | None = None,
        experiment: str = EXPERIMENT,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._connection = Connection(out, tracking_uri or default_uri(out), experiment, patience)
        self._table: tuple[str, dict[str, str]] | None = None

    @property
    def uri(self) -> str:
        return self._connection.uri

    def start_table(self, table: str, parameters: Mapping[str, Any]) -> None:
        """Put the jobs that follow below the run of `table`, and mark it as running.

        The run of an earlier call is continued if its parameters were the same; else there is a new one.
        """
        self.enter_table(table, parameters)

        def start(runs: Runs) -> None:
            run = self._table_run(runs)
            runs.client.update_run(run.run_id, status="RUNNING")
            run.status = "RUNNING"

        self._connection.attempt(start)

    def enter_table(self, table: str, parameters: Mapping[str, Any]) -> None:
        """Do as `start_table`, but make the run with its first job and do not mark it as running."""
        self._table = (table, dict(flatten(parameters)))

    def leave_table(self) -> None:
        """Put the jobs that follow below no table."""
        self._table = None

    def finish_table(self, artifacts: Iterable[Path] = (), *, failed: bool = False) -> bool:
        """Mark the table's run as ended, with `artifacts` (the report's files); return False where that failed."""
        status = "FAILED" if failed else "FINISHED"

        def finish(runs: Runs) -> None:
            run = self._table_run(runs)
            for path in artifacts:
                runs.artifacts.keep(run.run_id, path)
            if run.status != status:  # else the time of its end would move
                runs.client.set_terminated(run.run_id, status)
                run.status = status

        return self._connection.attempt(finish)

    def sync(self, job_dir: Path) -> bool:
        """Send what has not been sent yet of one job, running or ended; return True if MLflow now has all of it."""
        return self.deliver(job_dir) != "failed"

    def deliver(self, job_dir: Path) -> Delivery:
        """Do as `sync`, and tell whether there was anything to send."""
        try:
            job = TrackedJob.read(JobFolder(job_dir))
        except (OSError, ValueError, UserError) as problem:
            logger.warning("not sent to MLflow: %s", problem)
            return "failed"
        news: list[bool] = []

        def send(runs: Runs) -> None:
            news.append(send_job(runs, self._job_run(runs, job), job))

        delivered = self._connection.attempt(send)
        return "failed" if not delivered else "sent" if any(news) else "present"

    def annotate(self, job_dir: Path, note: Note) -> bool:
        """Add what a study knows of a job to its run below the current table; return True if it worked.

        The job is sent first. A status ends a run that the job itself leaves running.
        """

        def add(runs: Runs) -> None:
            job = TrackedJob.read(JobFolder(job_dir))
            run = self._job_run(runs, job)
            send_job(runs, run, job)
            send_note(runs.client, run.run_id, note, when=now(), end=job.status == "RUNNING")

        return self._connection.attempt(add)

    def annotate_table(self, note: Note) -> bool:
        """Add what a study found to the table's own run, whose status stays; return True if it worked."""

        def add(runs: Runs) -> None:
            send_note(runs.client, self._table_run(runs).run_id, note, when=now(), end=False)

        return self._connection.attempt(add)

    def tell_child(self, name: str, parameters: dict[str, str], note: Note, *, identity: str) -> bool:
        """Make a run below the current table's for something that is no job; return True if MLflow has it.

        Args:
            name: what people see in a list of runs.
            parameters: what it was started with.
            note: how it ended.
            identity: the tag of the note by which the run is found again, so that it is made once.
        """

        def tell(runs: Runs) -> None:
            run = runs.child(self._table_run(runs).run_id, name, note.tags, identity)
            if run.status == "RUNNING":  # new, or cut off
                describe(runs.client, run, parameters)
                send_note(runs.client, run.run_id, note, when=run.started, end=True)

        return self._connection.attempt(tell)

    def _table_run(self, runs: Runs) -> KnownRun:
        if self._table is None:
            raise RuntimeError("expected start_table or enter_table before this")
        name, parameters = self._table
        run = runs.table(name, parameters)
        describe(runs.client, run, parameters)
        return run

    def _job_run(self, runs: Runs, job: TrackedJob) -> KnownRun:
        return runs.job(job, None if self._table is None else self._table_run(runs).run_id)
