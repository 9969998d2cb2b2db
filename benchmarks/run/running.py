"""Running many jobs in this process, one after the other, beside other processes that may do the same."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import Job
from benchmarks.run.execution import Outcome, run_job
from benchmarks.run.executors.failures import Failures, record_early_failure
from benchmarks.run.recording import recorded
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.progress import JobProgress
from benchmarks.training.watcher import Watcher

POLL_SECONDS = 2.0


class OpenDatasets:
    """The data sets of jobs, each opened once.

    Args:
        known: those that are open already.
    """

    def __init__(self, known: Iterable[Dataset] = ()):
        self._open = {(dataset.spec, dataset.decoding): dataset for dataset in known}

    def of(self, job: Job) -> Dataset:
        """The data of a job.

        Raises:
            UserError: it cannot be opened, or is no longer what it was when the job was planned.
        """
        place = (job.data.spec, job.data.decoding)
        if place not in self._open:
            self._open[place] = open_dataset(job.data.spec, decoding=job.data.decoding)
        dataset = self._open[place]
        if dataset.fingerprint != job.data.fingerprint:
            raise UserError(
                f"{job.data.spec}: the data have changed since this job was planned (fingerprint "
                f"{dataset.fingerprint[:12]}…, not {job.data.fingerprint[:12]}…). Run the command again."
            )
        return dataset


def unique_jobs(jobs: Iterable[PlannedJob]) -> list[PlannedJob]:
    """Each key once, where it comes first."""
    found: dict[str, PlannedJob] = {}
    for planned in jobs:
        found.setdefault(planned.job.key, planned)
    return list(found.values())


def run_planned(
    planned: PlannedJob,
    datasets: OpenDatasets,
    out: Path,
    device: str,
    watcher: Watcher,
    *,
    processes: int = 1,
    say: Callable[[JobProgress], object] = lambda progress: None,
) -> Outcome:
    """Bring one job to its end, with its progress in a file; data that cannot be had are a failure of the job.

    Args:
        processes: that train it together.
        say: is told of all progress.
    """
    job, folder = planned.job, JobFolder.of(planned.job, out)
    if folder.done:
        return Outcome("cached")
    try:
        dataset = datasets.of(job)
    except UserError as error:
        return _record_early_failure(planned, folder, error)
    watcher = recorded(folder, job.training.iterations, watcher, say)
    outcome = run_job(job, dataset, out, device, watcher, label=planned.label, processes=processes)
    if outcome.status in ("done", "failed"):
        folder.progress.unlink(missing_ok=True)
    return outcome


def _record_early_failure(planned: PlannedJob, folder: JobFolder, error: Exception) -> Outcome:
    """Leave the error of a job that has not begun, unless another process has begun it."""
    with folder.lock() as mine:
        if not mine:
            return Outcome("busy")
        return record_early_failure(planned, folder, type(error).__name__, str(error), traceback.format_exc())


def run_jobs(
    jobs: Sequence[PlannedJob],
    datasets: OpenDatasets,
    out: Path,
    device: str,
    *,
    processes: int = 1,
    watch: Callable[[PlannedJob], Watcher],
    ended: Callable[[PlannedJob, Outcome], None],
) -> None:
    """Bring every job to its end; a failed one does not stop the others.

    A job that another process is running is put behind the rest and waited for, so that two processes share
    the work and neither repeats it, not even a failure.

    Args:
        jobs: each key once.
        processes: that train one job together.
    """
    failures = Failures(jobs, out)
    watchers = {planned.job.key: watch(planned) for planned in jobs}
    waiting = list(jobs)
    while waiting:
        busy = []
        for planned in waiting:
            watcher = watchers[planned.job.key]
            outcome = failures.new(planned) or run_planned(planned, datasets, out, device, watcher, processes=processes)
            if outcome.status == "busy":
                busy.append(planned)
                continue
            ended(planned, outcome)
        if len(busy) == len(waiting):
            time.sleep(POLL_SECONDS)
        waiting = busy
