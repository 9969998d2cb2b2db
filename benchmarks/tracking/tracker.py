"""Which MLflow run a job is sent to, and what happens when MLflow is away."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.files import exclusive
from benchmarks.plan.nested import flatten
from benchmarks.store.job_folder import JobFolder
from benchmarks.tracking.job import CURVES, TrackedJob
from benchmarks.tracking.ledger import Sent, read_sent, read_table, write_sent, write_table
from benchmarks.tracking.sending import Note, send_curve, send_note, send_parameters, send_status
from benchmarks.tracking.store import checked_uri, connect, default_uri, shown

if TYPE_CHECKING:
    from mlflow import MlflowClient

RETRY_AFTER = 300.0
"""Seconds without an attempt after one that failed: a server that is away does not slow a training."""

COMPARED = 500
"""Characters of a parameter's value; MLflow cuts longer ones somewhere above."""

logger = logging.getLogger("pctrans_bench")

Outcome = Literal["sent", "present", "failed"]


class Tracker:
    """Tells MLflow what job folders hold; what cannot be told now is told by a later call.

    A table is a run, and each of its jobs a run below it. No method waits longer than MLflow's time limits,
    which are shortened here, and none raises because of the store: the first failure is a warning on the
    logger `pctrans_bench`.
    Processes that share `out` take turns.

    Args:
        out: the results' folder, with `jobs/`.
        tracking_uri: a database or a server; by default the database `out`/mlflow.db.
        experiment: MLflow's name for everything that is sent.

    Raises:
        UserError: the URI is of a kind that MLflow refuses.
    """

    def __init__(self, out: Path, tracking_uri: str | None = None, experiment: str = "pctrans-bench") -> None:
        self.out = out
        self.uri = checked_uri(tracking_uri or default_uri(out))
        self._experiment = experiment
        # A database in `out` moves along with it, and what was sent stays sent.
        self._destination = shown(self.uri).replace(str(out.resolve()), ".")
        self._table: str | None = None
        self._connection: tuple[MlflowClient, str] | None = None
        self._existing: set[str] = set()
        self._described: dict[str, dict[str, str]] = {}
        self._retry_at = 0.0
        self._warned = False

    def start_table(self, table: str, parameters: dict[str, Any]) -> None:
        """Put the jobs that follow below the run of `table`, and mark it as running.

        The run of an earlier call is continued if its parameters were the same; else there is a new one.
        """
        self.enter_table(table, parameters)
        self._attempt(lambda client: client.update_run(self._parent(client), status="RUNNING"))

    def enter_table(self, table: str | None, parameters: dict[str, Any]) -> None:
        """As `start_table`, but the run is made with its first job and not marked as running; None leaves."""
        self._table = table
        if table is not None:
            parameters = json.loads(json.dumps(parameters))
            if read_table(self.out, table).get("parameters") != parameters:
                write_table(self.out, table, {"parameters": parameters, "runs": {}})

    def finish_table(self, artifacts: Iterable[Path] = (), *, failed: bool = False) -> bool:
        """Mark the table's run as ended, with `artifacts` (the report's files); False where that failed."""
        status = "FAILED" if failed else "FINISHED"

        def finish(client: MlflowClient) -> None:
            run_id = self._parent(client)
            for path in artifacts:
                client.log_artifact(run_id, str(path))
            if client.get_run(run_id).info.status != status:  # else the time of its end would move
                client.set_terminated(run_id, status)

        return self._attempt(finish)

    def sync(self, job_dir: Path) -> bool:
        """Send what has not been sent yet of one job, running or ended; True if MLflow now has all of it."""
        return self.deliver(job_dir) != "failed"

    def deliver(self, job_dir: Path) -> Outcome:
        """As `sync`, telling whether there was anything to send."""
        try:
            job = TrackedJob.read(JobFolder(job_dir))
        except (OSError, ValueError) as problem:
            logger.warning("not sent to MLflow: %s", problem)
            return "failed"
        news: list[bool] = []
        delivered = self._attempt(lambda client: news.append(self._send(client, job)))
        return "failed" if not delivered else "sent" if any(news) else "present"

    def annotate(self, job_dir: Path, note: Note) -> bool:
        """Add what a study knows of a job to its run below the current table, sending the job first; True if it worked.

        A status ends a run that the job itself leaves running.
        """

        def act(client: MlflowClient) -> None:
            job = TrackedJob.read(JobFolder(job_dir))
            self._send(client, job)
            sent = read_sent(job.folder, self._ledger_name(self._parent(client)))
            assert sent is not None, "what was just sent is in the ledger"
            send_note(client, sent.run_id, note, end=job.status == "RUNNING")

        return self._attempt(act)

    def annotate_table(self, note: Note) -> bool:
        """Add what a study found to the table's own run, whose status stays; True if it worked."""
        return self._attempt(lambda client: send_note(client, self._parent(client), note, end=False))

    def tell_child(self, key: str, name: str, parameters: dict[str, str], note: Note) -> bool:
        """A run below the current table's that is no job, once for each `key`; True if MLflow has it."""

        def act(client: MlflowClient) -> None:
            parent = self._parent(client)
            assert self._table is not None
            entry = read_table(self.out, self._table)
            children = entry.setdefault("children", {})
            told = f"{parent} {key}"
            if told in children and self._exists(client, children[told]):
                return
            run_id = self._new_run(client, name, {"mlflow.parentRunId": parent}, time.time())
            send_parameters(client, run_id, parameters)
            send_note(client, run_id, note, end=True)
            children[told] = run_id
            write_table(self.out, self._table, entry)

        return self._attempt(act)

    def _ledger_name(self, parent: str | None) -> str:
        """What the ledger of a job calls where it was sent."""
        return f"{self._destination} {parent}" if parent else self._destination

    def _send(self, client: MlflowClient, job: TrackedJob) -> bool:
        """Send what is new in the folder; False where nothing is."""
        parent = None if self._table is None else self._parent(client)
        destination = self._ledger_name(parent)
        sent = read_sent(job.folder, destination)
        if sent is not None and not self._exists(client, sent.run_id):
            sent = None
        if sent is not None and sent.status == "FINISHED":
            return False
        created = sent is None
        if sent is None:
            sent = self._create_run(client, job, parent)
            write_sent(job.folder, destination, sent)
        self._describe(client, sent.run_id, job.parameters())

        grown = [send_curve(client, sent, job, curve) for curve in CURVES]
        changed = sent.status != job.status
        if changed:
            send_status(client, sent, job)
        if any(grown) or changed:
            write_sent(job.folder, destination, sent)
        return created or any(grown) or changed

    def _create_run(self, client: MlflowClient, job: TrackedJob, parent: str | None) -> Sent:
        tags = {"pctrans_bench.key": job.folder.key}
        if parent is not None:
            tags["mlflow.parentRunId"] = parent
        if commit := job.environment.get("commit"):
            tags["mlflow.source.git.commit"] = str(commit)
        return Sent(self._new_run(client, job.name, tags, job.started), job.started)

    def _parent(self, client: MlflowClient) -> str:
        """The run of the current table, made where the store has none."""
        if self._table is None:
            raise RuntimeError("start_table comes before finish_table")
        entry = read_table(self.out, self._table)
        run_id = entry["runs"].get(self._destination)
        if run_id is None or not self._exists(client, run_id):
            run_id = self._new_run(client, self._table, {"pctrans_bench.table": self._table}, time.time())
            entry["runs"][self._destination] = run_id
            write_table(self.out, self._table, entry)
        self._describe(client, run_id, dict(flatten(entry["parameters"])))
        return run_id

    def _new_run(self, client: MlflowClient, name: str, tags: dict[str, str], started: float) -> str:
        _, experiment = self._connect()
        run = client.create_run(experiment, start_time=int(started * 1000), tags=tags, run_name=name)
        self._existing.add(run.info.run_id)
        return run.info.run_id

    def _describe(self, client: MlflowClient, run_id: str, parameters: dict[str, str]) -> None:
        """Send the parameters once, and again by the next tracker, as this one may have been cut off.

        MLflow keeps the first value of a parameter. Where a job goes on elsewhere, with another commit or processor,
        the new one is a tag.
        """
        if self._described.get(run_id) != parameters:
            known = client.get_run(run_id).data.params
            send_parameters(client, run_id, {name: value for name, value in parameters.items() if name not in known})
            for name, value in parameters.items():
                if known.get(name, value)[:COMPARED] != value[:COMPARED]:
                    client.set_tag(run_id, f"continued.{name}", value)
            self._described[run_id] = parameters

    def _exists(self, client: MlflowClient, run_id: str) -> bool:
        """False where the run was deleted, or with it the whole database: then all is sent again."""
        from mlflow.exceptions import MlflowException

        if run_id not in self._existing:
            try:
                if client.get_run(run_id).info.lifecycle_stage == "deleted":
                    return False
            except MlflowException as problem:
                if problem.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return False
                raise
            self._existing.add(run_id)
        return True

    def _connect(self) -> tuple[MlflowClient, str]:
        if self._connection is None:
            self._connection = connect(self.uri, self.out, self._experiment)
        return self._connection

    def _attempt(self, action: Callable[[MlflowClient], object]) -> bool:
        """Do it; after any failure warn once, and let RETRY_AFTER seconds pass before the next attempt."""
        if time.monotonic() < self._retry_at:
            return False
        try:
            # Processes that share a table would else make two runs of one job.
            with exclusive(self.out / "tracking.lock"):
                action(self._connect()[0])
        except Exception as problem:
            # A store can fail in many ways (network, database, disk), and none is worth a training.
            self._connection = None
            self._retry_at = time.monotonic() + RETRY_AFTER
            self._warn(problem)
            return False
        return True

    def _warn(self, problem: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        cause: BaseException = problem
        while deeper := cause.__cause__ or cause.__context__:  # MLflow wraps a refused connection many times
            cause = deeper
        reason = (str(cause).splitlines() or [""])[0].replace(self.uri, shown(self.uri))
        logger.warning(
            "MLflow at %s cannot be told now (%s: %s). Nothing is lost: send it later with"
            " `pctrans-bench track --out %s`.",
            shown(self.uri),
            type(cause).__name__,
            reason,
            self.out,
        )
