"""Which process runs which trial, and what becomes of the trial of a process that died.

A worker holds the lock of a file of its own, which goes with the process however it ends. Whoever sees a running trial
of a worker of this machine whose lock is free puts it back, once; a second death is the trial's failure. Workers of
other machines are told alive by a counter that they raise: not every network folder shares locks.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from benchmarks.files import exclusive
from benchmarks.training.watcher import StopRequested
from studies.slots import DOUBLE, doubles
from studies.specs import StudySpec
from studies.storage import running_trial, sampler_for, set_attribute, set_state

if TYPE_CHECKING:
    import optuna

WORKER, BEAT, DEATHS, ERROR = "worker", "beat", "deaths", "error"
BEAT_SECONDS = 15.0
SILENT_SECONDS = 120.0
"""A worker elsewhere whose counter has stood still for so long is taken for dead."""


@dataclass
class Worker:
    """A process that runs trials, for as long as it is entered.

    Attributes:
        folder: of the study.
        name: that no other worker has or had.
    """

    folder: Path
    name: str
    _lock: IO[str] | None = field(default=None, repr=False)

    def __enter__(self) -> Worker:
        path = _lock_file(self.folder, self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._lock.write(socket.gethostname())
        self._lock.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A worker that ends by itself has no trial any more; of one that dies, the free lock tells."""
        if kind is None or issubclass(kind, StopRequested):
            _lock_file(self.folder, self.name).unlink(missing_ok=True)
        assert self._lock is not None
        self._lock.close()

    def claim(self, study: optuna.Study, spec: StudySpec) -> optuna.Trial | None:
        """The next waiting trial, now running and this worker's; None where none waits."""
        import optuna
        from optuna.trial import TrialState

        with exclusive(self.folder / "claims.lock"):
            trials = study.get_trials(deepcopy=False)
            left_out = doubles(trials)
            for frozen in trials:
                if frozen.state != TrialState.WAITING:
                    continue
                with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
                    if frozen.number in left_out:
                        set_attribute(study, frozen.number, DOUBLE, True)
                        set_state(study, frozen.number, TrialState.FAIL)
                    elif set_state(study, frozen.number, TrialState.RUNNING):
                        set_attribute(study, frozen.number, WORKER, self.name)
                        study.sampler = sampler_for(spec, frozen.number)
                        return running_trial(study, frozen.number)
        return None

    @contextmanager
    def alive(self, trial: optuna.Trial) -> Iterator[None]:
        """Raise the trial's counter every BEAT_SECONDS, for watchers on other machines."""
        done = threading.Event()

        def beat() -> None:
            count = 0
            while not done.wait(BEAT_SECONDS):
                count += 1
                with contextlib.suppress(Exception):  # a storage that is away for a moment ends no training
                    trial.set_user_attr(BEAT, f"{self.name} {count}")

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def put_back(study: optuna.Study, folder: Path, number: int, worker: str | None, *, death: str | None) -> None:
    """Let a running trial of `worker` wait again.

    Args:
        worker: None: it died before it could say who it is.
        death: how the worker died, which counts: at the second time the trial has failed. None: it was interrupted,
            with all the command, which counts for nothing.
    """
    from optuna.trial import TrialState

    with exclusive(folder / "claims.lock"):
        trial = study.get_trials(deepcopy=False)[number]
        if trial.state != TrialState.RUNNING or trial.user_attrs.get(WORKER) != worker:
            return  # another process saw it too, and was first
        deaths = trial.user_attrs.get(DEATHS, 0) + (death is not None)
        set_attribute(study, number, DEATHS, deaths)
        if deaths > 1:
            set_attribute(study, number, ERROR, f"its worker died twice; the last time: {death}")
            set_state(study, number, TrialState.FAIL)
        else:
            set_state(study, number, TrialState.WAITING)


class Undertaker:
    """Finds trials whose worker is dead. One for each process that watches a study."""

    def __init__(self, study: optuna.Study, folder: Path):
        self.study, self.folder = study, folder
        self._seen: dict[int, tuple[str, float]] = {}

    def recover(self, *, counted: bool) -> list[int]:
        """Put the trials of dead workers back; returns their numbers.

        Args:
            counted: whether these deaths count against the trials, see `put_back`.
        """
        from optuna.trial import TrialState

        dead = []
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            worker = trial.user_attrs.get(WORKER)
            if not self._is_dead(trial.number, worker, str(trial.user_attrs.get(BEAT))):
                continue
            put_back(self.study, self.folder, trial.number, worker, death=f"{worker} was killed" if counted else None)
            if worker is not None:
                _lock_file(self.folder, worker).unlink(missing_ok=True)
            dead.append(trial.number)
        return dead

    def _is_dead(self, number: int, worker: str | None, beat: str) -> bool:
        if worker is not None and _is_of_this_machine(lock := _lock_file(self.folder, worker)):
            return not _held(lock)
        mark, since = self._seen.get(number, ("", 0.0))
        if mark != f"{worker} {beat}":
            self._seen[number] = f"{worker} {beat}", time.monotonic()
            return False
        return time.monotonic() - since > SILENT_SECONDS


def _lock_file(folder: Path, worker: str) -> Path:
    return folder / "workers" / f"{worker.replace('/', '_')}.lock"


def _is_of_this_machine(lock: Path) -> bool:
    try:
        return lock.read_text() == socket.gethostname()
    except OSError:
        return False


def _held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        with path.open("r+") as lock:  # network file systems give exclusive locks to writers only
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
