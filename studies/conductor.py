"""The process that starts a study's workers, watches them and puts the trials of dead ones back."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from benchmarks.errors import UserError
from benchmarks.files import write_json
from benchmarks.machine.devices import accelerators, environment_of_worker, share_of_threads
from studies.claims import Undertaker
from studies.patience import patiently, storage_errors
from studies.plan import StudySettings
from studies.records import TrialRecord, read_trials
from studies.worker import STORAGE_VARIABLE

if TYPE_CHECKING:
    import optuna

LOOK_SECONDS = 1.0
STOP_SECONDS = 30.0
"""How long a worker has to come to a safe point before it is killed."""
FAILED_STARTS = 3
"""Workers that die without a trial before the study gives up."""

Look = Callable[[list[TrialRecord]], None]
"""Told of all trials, about once a second."""


@dataclass
class Conductor:
    """Runs a study that is in its storage already.

    Attributes:
        jobs: worker processes at a time.
        threads: of a trial; None, on an accelerator, divides those of the machine.
        storage_url: None for the journal in the study's folder.
        say: tells the user.
    """

    study: optuna.Study
    settings: StudySettings
    folder: Path
    out: Path
    jobs: int
    threads: int | None
    storage_url: str | None
    say: Callable[[str], None]
    name: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}")
    _workers: list[_Process] = field(default_factory=list, repr=False)
    _started: int = 0
    _failed_starts: int = 0
    _had_trials: set[str] = field(default_factory=set, repr=False)

    @property
    def settings_file(self) -> Path:
        """Where its workers read what they run: each command has its own paths and device."""
        return self.folder / "workers" / f"{self.name}.json"

    def run(self, look: Look) -> list[TrialRecord]:
        """Run until every trial has ended, here or elsewhere; returns them.

        Raises:
            UserError: workers cannot be started.
        """
        undertaker = Undertaker(self.study, self.folder)
        write_json(self.settings_file, asdict(self.settings))
        try:
            patiently(lambda: undertaker.recover(counted=False))
            while True:
                self._bury(undertaker)
                trials = patiently(lambda: read_trials(self.study))
                self._had_trials |= {trial.worker for trial in trials if trial.worker}
                look(trials)
                waiting = sum(trial.state == "waiting" for trial in trials)
                if not waiting and not any(trial.state == "running" for trial in trials):
                    return trials
                while len(self._workers) < self.jobs and waiting > self._idle(trials):
                    self._start()
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            self.say(f"Stopping: the trials end at their next safe point, within {STOP_SECONDS:.0f} seconds.")
            raise
        finally:
            self._stop()
            self.settings_file.unlink(missing_ok=True)
            with contextlib.suppress(*storage_errors()):  # who goes on will find them
                undertaker.recover(counted=False)

    def _idle(self, trials: Sequence[TrialRecord]) -> int:
        """Workers that have no trial yet: each will take one that waits."""
        busy = {trial.worker for trial in trials if trial.state == "running"}
        return sum(worker.name not in busy for worker in self._workers)

    def _start(self) -> None:
        self._workers.append(_Process.start(self._started, self))
        self._started += 1

    def _bury(self, undertaker: Undertaker) -> None:
        """Forget workers that ended, and put back what the dead among them had."""
        ended = [worker for worker in self._workers if worker.process.poll() is not None]
        self._workers = [worker for worker in self._workers if worker not in ended]
        patiently(lambda: undertaker.recover(counted=True))
        for worker in ended:
            worker.close()
            if worker.name in self._had_trials:
                self._failed_starts = 0
            elif worker.process.returncode:
                self._failed_starts += 1
                if self._failed_starts >= FAILED_STARTS:
                    raise UserError(
                        f"The workers of the study end without a trial (exit status {worker.process.returncode}). "
                        f"The end of {worker.log}:\n{_tail(worker.log)}"
                    )

    def _stop(self) -> None:
        """Ask all workers to end, which puts their trials back, and kill those that do not."""
        for worker in self._workers:
            worker.close_input()
        until = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.close()
        self._workers = []


@dataclass
class _Process:
    """A worker and its output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stream: IO[bytes]

    @classmethod
    def start(cls, index: int, conductor: Conductor) -> _Process:
        name = f"{conductor.name}-{index}"
        log = conductor.folder / "workers" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = log.open("ab")
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "studies.worker", str(conductor.out), conductor.settings.spec["name"]),
                *(str(conductor.settings_file), name),
            ],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=_environment(index, conductor),
            start_new_session=True,  # Ctrl-C is the conductor's, which stops its workers in order
        )
        return cls(name, process, log, stream)

    def close_input(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()

    def close(self) -> None:
        self.close_input()
        self.stream.close()


def _environment(index: int, conductor: Conductor) -> dict[str, str]:
    """The worker's threads, and an accelerator, which more workers than accelerators have to share."""
    devices = accelerators() if conductor.settings.device == "cuda" else []
    own = (devices[index % len(devices)],) if devices else None
    threads = conductor.threads or share_of_threads(conductor.jobs)
    environment = environment_of_worker(os.environ, threads, own)
    if conductor.storage_url is not None:
        environment[STORAGE_VARIABLE] = conductor.storage_url
    return environment


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
