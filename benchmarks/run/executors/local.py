"""Processes on this machine, one for each job, which share out its accelerators."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine.devices import device_groups, environment_of_worker, share_of_threads
from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.executors.base import Running, State, counted
from benchmarks.run.executors.ending import STOP_SECONDS, Ending, ExitStatus, describe_status
from benchmarks.store.job_folder import JobFolder

WORKER = (sys.executable, "-m", "benchmarks.run.worker")


@dataclass
class LocalJob:
    """A worker process of this one.

    Attributes:
        devices: accelerators that it computes on.
        minutes: that it may take.
        begun: when it began, by `clock`, in seconds.
    """

    process: subprocess.Popen[bytes]
    devices: tuple[str, ...]
    minutes: float | None = None
    state: State = "running"
    clock: Callable[[], float] = time.monotonic
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.clock()

    def poll(self) -> Ending | None:
        """How it ended; then nothing of it is left, nor of processes that it started. Ends it if its time is over."""
        status = self.process.poll()
        if status is None:
            self._keep_to_time()
            return None
        self.kill()
        self.ask_to_stop()
        over = self._seconds_over() > 0 and status not in (ExitStatus.DONE, ExitStatus.FAILED)
        return Ending(status, self._too_long() if over else describe_status(status))

    def _keep_to_time(self) -> None:
        """Ask for an end at a checkpoint, and force it where that is not heard."""
        over = self._seconds_over()
        if over > 0:
            self.ask_to_stop()
        if over > STOP_SECONDS + 5:
            self.kill()

    def _seconds_over(self) -> float:
        return 0.0 if self.minutes is None else self.clock() - self.begun - 60 * self.minutes

    def _too_long(self) -> str:
        return (
            f"it took longer than --job-time allows, {self.minutes} min, and was stopped; the same command goes on "
            "from its checkpoint"
        )

    def ask_to_stop(self) -> None:
        """Close its input, which it understands."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        """Kill it with the processes that it started."""
        with suppress(ProcessLookupError, PermissionError):  # what some systems say where all have ended
            os.killpg(self.process.pid, signal.SIGKILL)


class LocalExecutor:
    """Starts `python -m benchmarks.run.worker` for each job, at most `jobs` at a time.

    Args:
        minutes: after which a job is stopped, and has failed.
        note: is told what the user has to wait for.
        command: of the worker, before its arguments.

    Attributes:
        slots: jobs at a time: as many as wanted, or as there are accelerators for.

    Raises:
        UserError: fewer accelerators than one job wants.
    """

    begins_as: State = "running"

    def __init__(
        self,
        out: Path,
        device: str,
        *,
        jobs: int,
        gpus_per_job: int = 1,
        jobs_per_gpu: int = 1,
        minutes: float | None = None,
        note: Callable[[str], object] = lambda text: None,
        command: Sequence[str] = WORKER,
    ):
        self.out, self.device, self.processes = out, device, gpus_per_job
        self._note, self._command, self._minutes = note, command, minutes
        self._free = device_groups(device, gpus_per_job, jobs, jobs_per_gpu)
        self.slots = len(self._free)
        self._share = share_of_threads(self.slots)
        self._running: list[LocalJob] = []

    def room(self, running: int) -> int:
        """Slots that are free."""
        return self.slots - running

    def submit(self, jobs: Sequence[PlannedJob], tick: Callable[[], None]) -> list[Running]:
        """Start a process for each job."""
        self._reclaim()
        return [self._begin(planned) for planned in jobs]

    def stop(self, running: Sequence[Running]) -> None:
        """Ask for an end, wait for checkpoints, kill what is left; an interrupt meanwhile kills at once."""
        jobs = [job for job in self._running if job.poll() is None]  # an interrupt may come before they are handed back
        if jobs:
            self._note(f"stopping {counted(len(jobs))} at a checkpoint; Ctrl-C again ends them at once")
        try:
            for job in jobs:
                job.ask_to_stop()
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline and any([job.poll() is None for job in jobs]):
                time.sleep(0.05)
        finally:
            for job in jobs:
                if job.process.poll() is None:
                    job.kill()
                    job.process.wait()

    def _begin(self, planned: PlannedJob) -> LocalJob:
        folder, devices = JobFolder.of(planned.job, self.out), self._free.pop(0)
        threads = planned.job.training.threads or self._share
        with folder.log.open("ab") as log:
            process = subprocess.Popen(
                [*self._command, str(folder.path), "--device", self.device, "--processes", str(self.processes)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment_of_worker(os.environ, threads, devices),
                start_new_session=True,  # Ctrl-C is this process's, which stops its workers in order
            )
        job = LocalJob(process, devices, self._minutes)
        self._running.append(job)
        return job

    def _reclaim(self) -> None:
        """Take back the accelerators of processes that ended."""
        ended = [job for job in self._running if job.process.returncode is not None]
        self._running = [job for job in self._running if job.process.returncode is None]
        self._free += [job.devices for job in ended]
