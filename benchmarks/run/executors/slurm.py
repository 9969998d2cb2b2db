"""Jobs of a SLURM cluster: submitted as arrays by submitit, followed by the files that they leave."""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.errors import UserError
from benchmarks.machine.children import python_for_shell
from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.executors.base import Running, State, counted
from benchmarks.run.executors.ending import Ending
from benchmarks.run.executors.options import SlurmOptions
from benchmarks.run.executors.queue import FORGOTTEN, QUEUED, RUNNING, Queue, SlurmQueue, cancel
from benchmarks.run.executors.task import WorkerTask
from benchmarks.store.documents import Document, UnreadableError, read_document, write_document
from benchmarks.store.job_folder import JobFolder, now

if TYPE_CHECKING:
    import submitit

NAME = "pctrans-bench"
ARRAY = 1000
"""Jobs of an array, at most; the usual limit of a cluster is 1001."""
SIGNAL_SECONDS = 120
"""Before its time limit that a job is told to save a checkpoint; longer than a worker takes to stop."""
REQUEUES = 100
"""After a time limit; pre-emptions do not count."""
SETTLE_SECONDS = 10.0
"""From the end of a job until its files are seen by all machines."""
CANCEL_SECONDS = 60.0


def check_slurm() -> None:
    """Whether jobs can be submitted from here.

    Raises:
        UserError: submitit is not installed, or this machine is none of a cluster.
    """
    if importlib.util.find_spec("submitit") is None:
        raise UserError("--executor slurm needs submitit: pip install 'pctrans-bench[slurm]'.")
    for program in ("sbatch", "squeue"):
        if shutil.which(program) is None:
            raise UserError(
                f"--executor slurm: there is no {program} on the PATH. Run this on a machine that submits to the "
                "cluster, such as its login node."
            )


class Submission(Document):
    """What slurm.json holds: the job's id in SLURM's queue."""

    id: str
    submitted: str | None = None


@dataclass
class SlurmJob:
    """A job in SLURM's queue.

    Attributes:
        folder: of the job here.
        ours: whether this process submitted it; else an earlier command did, and its end is no failure.
    """

    id: str
    folder: JobFolder
    queue: Queue
    ours: bool
    state: State = "queued"
    clock: Callable[[], float] = time.monotonic
    _ended_at: float | None = field(default=None, repr=False)

    def ask_to_stop(self) -> None:
        """Cancel it; it leaves its last checkpoint."""
        cancel([self.id])

    def poll(self) -> Ending | None:
        """How it ended."""
        said = self.queue.state(self.id)
        if said is None or said in RUNNING | QUEUED:
            self.state = "running" if said in RUNNING else "queued" if said in QUEUED else self.state
            self._ended_at = None
            return None
        self._ended_at = self._ended_at or self.clock()
        settled = self.clock() - self._ended_at >= SETTLE_SECONDS
        if not settled and not self.folder.done:
            return None
        why = "SLURM does not know it any more" if said == FORGOTTEN else f"SLURM says {said}"
        return Ending(None, f"job {self.id} ended without a result: {why}", self.ours)


class SlurmExecutor:
    """Submits jobs to SLURM, an array at a time.

    A job that an earlier command submitted and that is still queued or running is waited for, not submitted again.

    Args:
        out: on a file system that all nodes share.
        device: of the nodes, "cpu" or "cuda".
        slots: jobs in the queue at a time, each submitted as soon as there is room, for who asks for them one by one;
            None submits an array of all there are, and the next when that has ended.
        note: is told what was submitted.
        cluster: "slurm", or "debug" for submitit's executor in this process.
        queue: of the cluster.

    Attributes:
        submitted: submitit's jobs.
    """

    begins_as: State = "queued"

    def __init__(
        self,
        out: Path,
        device: str,
        options: SlurmOptions,
        *,
        gpus_per_job: int = 1,
        slots: int | None = None,
        note: Callable[[str], object] = lambda text: None,
        cluster: str = "slurm",
        queue: Queue | None = None,
    ):
        self.out, self.device, self.options, self.gpus_per_job = out.resolve(), device, options, gpus_per_job
        self.submitted: list[submitit.Job[int]] = []
        self._slots, self._note, self._cluster = slots, note, cluster
        self._queue = queue or SlurmQueue()

    def room(self, running: int) -> int:
        """One array after the other, so that no more run at a time than the user wants; or what the slots leave."""
        if self._slots is not None:
            return max(0, self._slots - running)
        return 0 if running else ARRAY

    def submit(self, jobs: Sequence[PlannedJob], tick: Callable[[], None]) -> list[Running]:
        """Hand over jobs, but for those that are in the queue already.

        Raises:
            UserError: SLURM refuses them.
        """
        found = {planned.job.key: self._earlier(planned) for planned in jobs}
        new = [planned for planned in jobs if found[planned.job.key] is None]
        earlier = len(jobs) - len(new)
        if earlier:
            self._note(f"in SLURM's queue already, submitted by an earlier command: {counted(earlier)}")
        ids = dict(zip([planned.job.key for planned in new], self._submit(new), strict=True)) if new else {}
        return [
            SlurmJob(ids.get(key) or str(id), JobFolder.named(key, self.out), self._queue, ours=key in ids)
            for key, id in found.items()
        ]

    def stop(self, running: Sequence[Running]) -> None:
        """Cancel what this process submitted."""
        jobs = [job for job in running if isinstance(job, SlurmJob) and job.ours]
        if not jobs:
            return
        self._note(f"cancelling {counted(len(jobs))} in SLURM's queue")
        cancel([job.id for job in jobs])
        deadline = time.monotonic() + CANCEL_SECONDS
        while time.monotonic() < deadline and any(self._queue.state(job.id) in RUNNING | QUEUED for job in jobs):
            time.sleep(0.5)

    def _submit(self, jobs: Sequence[PlannedJob]) -> list[str]:
        """Their ids in SLURM."""
        import submitit
        from submitit.core.utils import FailedSubmissionError, UncompletedJobError

        executor = submitit.AutoExecutor(
            folder=self.out / "slurm",
            cluster=self._cluster,
            slurm_max_num_timeout=REQUEUES,
            # In the command, as a cluster may be set up not to pass the environment on.
            slurm_python=python_for_shell(),
        )
        executor.update_parameters(**self.parameters(jobs))
        folders = [JobFolder.of(planned.job, self.out) for planned in jobs]
        try:
            submitted = executor.submit_array(
                [
                    WorkerTask(str(folder.path), self.device, self.gpus_per_job, planned.job.training.threads)
                    for folder, planned in zip(folders, jobs, strict=True)
                ]
            )
        except (FailedSubmissionError, UncompletedJobError, OSError) as error:
            raise UserError(f"SLURM did not take the jobs: {error}") from error
        self.submitted += submitted
        for folder, job in zip(folders, submitted, strict=True):
            write_document(folder.submission, Submission(id=job.job_id, submitted=now()))
        parallel = f", at most {self.options.max_parallel} at a time" if self.options.max_parallel else ""
        self._note(
            f"submitted {counted(len(jobs))} to SLURM as {submitted[0].job_id.partition('_')[0]}{parallel}; logs are "
            f"{JobFolder.named('*', self.out).log} and {self.out / 'slurm'}"
        )
        return [job.job_id for job in submitted]

    def parameters(self, jobs: Sequence[PlannedJob]) -> dict[str, Any]:
        """What submitit is asked for."""
        options, settings = self.options, dict(self.options.settings)
        threads = max((planned.job.training.threads or 0 for planned in jobs), default=0)
        cpus = options.cpus or threads * self.gpus_per_job or None
        asked: dict[str, Any] = {
            "name": NAME,
            "timeout_min": options.minutes,
            "mem_gb": options.memory_gib,
            "cpus_per_task": cpus,
            "stderr_to_stdout": True,
            "slurm_partition": options.partition,
            "slurm_array_parallelism": options.max_parallel or ARRAY,
            "slurm_signal_delay_s": SIGNAL_SECONDS,
            # Some clusters requeue only what asks for it.
            "slurm_additional_parameters": {"requeue": True} | {name: settings[name] or True for name in settings},
        }
        if cpus is not None:
            # Since 22.05 srun does not take the number from the job that it runs in.
            asked["slurm_srun_args"] = [f"--cpus-per-task={cpus}"]
        if self.device == "cuda" and not {"gres", "gpus", "gpus-per-task"} & settings.keys():
            asked["gpus_per_node"] = self.gpus_per_job
        return {name: value for name, value in asked.items() if value is not None}

    def _earlier(self, planned: PlannedJob) -> str | None:
        """The id of a job in the queue that an earlier command submitted."""
        try:
            job_id = read_document(JobFolder.of(planned.job, self.out).submission, Submission).id
        except (FileNotFoundError, UnreadableError):
            return None
        return job_id if self._queue.state(job_id) in RUNNING | QUEUED else None
