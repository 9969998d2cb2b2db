"""Running many jobs, one after the other, beside other processes that may do the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.data import Dataset
from benchmarks.execution import Outcome, Watcher, run_job
from benchmarks.expansion import PlannedJob

POLL_SECONDS = 2.0


def run_jobs(
    jobs: Sequence[PlannedJob],
    dataset: Dataset,
    out: Path,
    device: str,
    *,
    watch: Callable[[PlannedJob], Watcher],
    ended: Callable[[PlannedJob, Outcome], None],
) -> list[Outcome]:
    """Bring every job to its end; a failed one does not stop the others.

    A job that another process is running is put behind the rest and waited for, so that two processes share
    the work and neither repeats it.
    """
    outcomes: dict[str, Outcome] = {}
    watchers = {planned.job.key: watch(planned) for planned in jobs}
    waiting = list(jobs)
    while waiting:
        busy = []
        for planned in waiting:
            watcher = watchers[planned.job.key]
            outcome = run_job(planned.job, dataset, out, device, watcher, label=planned.label)
            if outcome.status == "busy":
                busy.append(planned)
                continue
            outcomes[planned.job.key] = outcome
            ended(planned, outcome)
        if len(busy) == len(waiting):
            time.sleep(POLL_SECONDS)
        waiting = busy
    return [outcomes[planned.job.key] for planned in jobs]
