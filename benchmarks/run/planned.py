"""One planned job in this process: its data opened, its progress and its failures on record."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.plan.expansion import PlannedJob
from benchmarks.plan.job import Job, refuse_changed_data
from benchmarks.run.execution import Outcome, run_job
from benchmarks.run.failures import record_early_failure
from benchmarks.run.recording import recorded
from benchmarks.run.validation import validation_scores
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.progress import JobProgress
from benchmarks.store.request import has_all
from benchmarks.training.watcher import Watcher


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
        refuse_changed_data(job.data, dataset)
        return dataset


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
    if has_all(planned, folder):
        return Outcome("cached")
    try:
        dataset = datasets.of(job)
    except UserError as error:
        return _record_early_failure(planned, folder, error)
    watcher = recorded(folder, job.training.iterations, watcher, say)
    outcome = run_job(job, dataset, out, device, watcher, label=planned.label, processes=processes)
    if planned.validated and outcome.status in ("done", "cached"):
        try:
            validation_scores(job, dataset, folder, device, watcher.scoring)
        except Exception as error:
            failure = folder.write_failure(type(error).__name__, str(error), traceback.format_exc())
            outcome = Outcome("failed", failure.summary)
    if outcome.status in ("done", "failed"):
        folder.progress.unlink(missing_ok=True)
    return outcome


def _record_early_failure(planned: PlannedJob, folder: JobFolder, error: Exception) -> Outcome:
    """Leave the error of a job that has not begun, unless another process has begun it."""
    with folder.lock() as mine:
        if not mine:
            return Outcome("busy")
        return record_early_failure(planned, folder, type(error).__name__, str(error), traceback.format_exc())
