"""Which command runs which trial, and what becomes of the trials of a command that died.

A command holds the lock of a file of its own, which goes with the process however it ends. Whoever sees a running trial
of a command of this machine whose lock is free puts it back, once; a second death is the trial's failure. Commands on
other machines are told alive by a counter that they raise: not every network folder shares locks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from benchmarks.files import exclusive
from studies.retrying import storage_errors
from studies.slots import DOUBLE, doubles
from studies.specification import StudySpec
from studies.storage import running_trial, sampler_for, set_attribute, set_state

if TYPE_CHECKING:
    import optuna

HOLDER, BEAT, DEATHS, ERROR = "worker", "beat", "deaths", "error"
"""Names of a trial's attributes; the first is as earlier versions wrote it."""
BEAT_SECONDS = 15.0
SILENT_SECONDS = 120.0
"""A command elsewhere whose counter has stood still for so long is taken for dead."""


def unique_name() -> str:
    """A name that no other command has or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


@dataclass
class Leaseholder:
    """A command that runs trials, for as long as it is entered.

    Attributes:
        folder: of the study.
    """

    folder: Path
    name: str = field(default_factory=unique_name)
    _lock: IO[str] | None = field(default=None, repr=False)
    _held: dict[int, optuna.Trial] = field(default_factory=dict, repr=False)
    _done: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def __enter__(self) -> Leaseholder:
        path = _lock_file(self.folder, self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.open("w", encoding="utf-8")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._lock.write(socket.gethostname())
        self._lock.flush()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the trials that it still has wait again: they were interrupted, which counts for nothing."""
        assert self._lock is not None and self._thread is not None
        self._done.set()
        self._thread.join()
        for number, trial in list(self._held.items()):
            with contextlib.suppress(*storage_errors()):  # others will take this command for dead
                put_back(trial.study, self.folder, number, self.name, death=None)
        _lock_file(self.folder, self.name).unlink(missing_ok=True)
        self._lock.close()

    def claim(self, study: optuna.Study, spec: StudySpec) -> optuna.Trial | None:
        """The next waiting trial, now running and this command's; None where none waits."""
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
                        set_attribute(study, frozen.number, HOLDER, self.name)
                        study.sampler = sampler_for(spec, frozen.number)
                        trial = running_trial(study, frozen.number)
                        self._held[frozen.number] = trial
                        return trial
        return None

    def release(self, trial: optuna.Trial) -> None:
        """The trial has ended, or waits again."""
        self._held.pop(trial.number, None)

    def put_back(self, trial: optuna.Trial, *, death: str | None) -> None:
        """Let a trial wait again, see the function of this name."""
        put_back(trial.study, self.folder, trial.number, self.name, death=death)
        self.release(trial)

    def _beat(self) -> None:
        """Raise the counter of every trial that it has, for watchers on other machines."""
        count = 0
        while not self._done.wait(BEAT_SECONDS):
            count += 1
            for trial in list(self._held.values()):
                with contextlib.suppress(Exception):  # a storage that is away for a moment ends no training
                    trial.set_user_attr(BEAT, f"{self.name} {count}")


def put_back(study: optuna.Study, folder: Path, number: int, holder: str | None, *, death: str | None) -> None:
    """Let a running trial of `holder` wait again.

    Args:
        holder: None: it died before it could say who it is.
        death: what died, and how, which counts: at the second time the trial has failed. None: it was interrupted,
            which counts for nothing.
    """
    from optuna.trial import TrialState

    with exclusive(folder / "claims.lock"):
        trial = study.get_trials(deepcopy=False)[number]
        if trial.state != TrialState.RUNNING or trial.user_attrs.get(HOLDER) != holder:
            return  # another process saw it too, and was first
        deaths = trial.user_attrs.get(DEATHS, 0) + (death is not None)
        set_attribute(study, number, DEATHS, deaths)
        if deaths > 1:
            set_attribute(study, number, ERROR, f"its process died twice; the last time: {death}")
            set_state(study, number, TrialState.FAIL)
        else:
            set_state(study, number, TrialState.WAITING)


class Reaper:
    """Finds trials whose command is dead. One for each process that watches a study."""

    def __init__(self, study: optuna.Study, folder: Path):
        self.study, self.folder = study, folder
        self._seen: dict[int, tuple[str, float]] = {}

    def recover(self, *, counted: bool) -> list[int]:
        """Put the trials of dead commands back; returns their numbers.

        Args:
            counted: whether these deaths count against the trials, see `put_back`.
        """
        from optuna.trial import TrialState

        dead = []
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            holder = trial.user_attrs.get(HOLDER)
            if not self._is_dead(trial.number, holder, str(trial.user_attrs.get(BEAT))):
                continue
            put_back(self.study, self.folder, trial.number, holder, death=f"{holder} was killed" if counted else None)
            if holder is not None:
                _lock_file(self.folder, holder).unlink(missing_ok=True)
            dead.append(trial.number)
        return dead

    def _is_dead(self, number: int, holder: str | None, beat: str) -> bool:
        if holder is not None and _is_of_this_machine(lock := _lock_file(self.folder, holder)):
            return not _locked(lock)
        mark, since = self._seen.get(number, ("", 0.0))
        if mark != f"{holder} {beat}":
            self._seen[number] = f"{holder} {beat}", time.monotonic()
            return False
        return time.monotonic() - since > SILENT_SECONDS


def _lock_file(folder: Path, holder: str) -> Path:
    return folder / "workers" / f"{holder.replace('/', '_')}.lock"


def _is_of_this_machine(lock: Path) -> bool:
    try:
        return lock.read_text(encoding="utf-8") == socket.gethostname()
    except OSError:
        return False


def _locked(path: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        with path.open("r+", encoding="utf-8") as lock:  # network file systems give exclusive locks to writers only
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
