"""What runs on a node of a cluster: a worker process, and what is done when the node is needed for something else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine.devices import cores, environment_of_worker
from benchmarks.run.executors.ending import STOP_SECONDS, ExitStatus, describe_status
from benchmarks.store.job_folder import JobFolder

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

LOOK_SECONDS = 0.2


class WorkerTask:
    """Runs `python -m benchmarks.run.worker` for one job; what submitit calls.

    submitit pickles it, so it holds words only: the job itself is a file in its folder. On the signal that comes before
    a pre-emption or the time limit, submitit asks for a `checkpoint` and requeues the job.

    Args:
        folder: of the job, absolute.
        threads: of the job; None, on an accelerator, is the cores that SLURM gave it.
        command: of the worker, before its arguments.
    """

    def __init__(
        self,
        folder: str,
        device: str,
        processes: int,
        threads: int | None = None,
        command: tuple[str, ...] = (sys.executable, "-m", "benchmarks.run.worker"),
    ):
        self.folder, self.device, self.processes, self.threads = folder, device, processes, threads
        self.command = command
        self._worker: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Run the worker to its end; returns its exit status."""
        arguments = [self.folder, "--device", self.device, "--processes", str(self.processes), "--wait"]
        with JobFolder(Path(self.folder)).log.open("ab") as log:
            self._worker = subprocess.Popen(
                [*self.command, *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment_of_worker(os.environ, self.threads or _allocated_cores() or cores()),
                start_new_session=True,
                # A cluster may signal all processes of a job; what a signal means is decided here.
                preexec_fn=_ignore_signals,
            )
            while not self._has_ended():
                time.sleep(LOOK_SECONDS)
            status = self._worker.wait()
            if status not in set(ExitStatus):
                log.write(f"--- {describe_status(status)}\n".encode())
        return status

    def checkpoint(self) -> DelayedSubmission:
        """End the worker, which saves a checkpoint; returns what goes on from there. Called by a signal's handler."""
        from submitit.helpers import DelayedSubmission

        if self._worker is not None and self._worker.stdin is not None:
            self._worker.stdin.close()
            deadline = time.monotonic() + STOP_SECONDS + 5
            while not self._has_ended() and time.monotonic() < deadline:
                time.sleep(0.05)
            with suppress(ProcessLookupError):
                os.killpg(self._worker.pid, signal.SIGKILL)
        return DelayedSubmission(WorkerTask(self.folder, self.device, self.processes, self.threads, self.command))

    def _has_ended(self) -> bool:
        # Unlike Popen's methods this takes no lock, which the code that a signal interrupted may hold.
        assert self._worker is not None
        try:
            return os.waitid(os.P_PID, self._worker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # it was waited for already
            return True


def _allocated_cores() -> int | None:
    stated = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return int(stated) if stated.isdecimal() else None


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
