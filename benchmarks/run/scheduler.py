"""Which job is started when, beside other commands that share the work, and what the end of its process means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.execution import Outcome
from benchmarks.run.executors.base import Executor, Running, State
from benchmarks.run.executors.ending import Ending, ExitStatus
from benchmarks.run.failures import Failures, read_failure, record_early_failure
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.request import has_all, write_request

LOOK_SECONDS = 0.2
RETRY_SECONDS = 2.0
"""Between two looks at a job that another command is running."""


class Observer(Protocol):
    """Who is told."""

    def look(self, states: Mapping[str, State]) -> None:
        """Called a few times a second with the state of every job, by key."""

    def ended(self, planned: PlannedJob, outcome: Outcome) -> None:
        """Called once for every job."""


def unique_jobs(jobs: Iterable[PlannedJob]) -> list[PlannedJob]:
    """Each key once, where it comes first."""
    found: dict[str, PlannedJob] = {}
    for planned in jobs:
        found.setdefault(planned.job.key, planned)
    return list(found.values())


class Scheduler:
    """Brings jobs to their end; a failed one does not stop the others.

    A job that another command is running is waited for, so that commands share the work and none repeats it, not even a
    failure.

    Args:
        out: the results' folder.
        sleep, clock: of the time, in seconds.

    Attributes:
        states: of every job by key, also after an interrupt.
    """

    def __init__(
        self,
        out: Path,
        executor: Executor,
        observer: Observer,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.out, self.executor, self.observer = out, executor, observer
        self.states: dict[str, State] = {}
        self._sleep, self._clock = sleep, clock
        self._waiting: list[PlannedJob] = []
        self._running: dict[str, tuple[PlannedJob, Running]] = {}
        self._failures = Failures(out)
        self._retry_at: dict[str, float] = {}
        self._cancelled: set[str] = set()

    @property
    def active(self) -> bool:
        """Whether a job has not ended."""
        return bool(self._waiting or self._running)

    def run(self, jobs: Sequence[PlannedJob]) -> None:
        """Return when every job, each key once, has ended, here or elsewhere.

        Raises:
            KeyboardInterrupt: nothing runs any more.
        """
        for planned in jobs:
            self.add(planned)
        try:
            while self.active:
                self.step()
                if self.active:
                    self._sleep(LOOK_SECONDS)
        except BaseException:
            self.stop()
            raise

    def add(self, planned: PlannedJob) -> None:
        """Take on one more job; one that is done already ends at once."""
        self.states[planned.job.key] = "waiting"
        self._failures.note(planned.job)
        self._waiting.append(planned)
        if has_all(planned, JobFolder.of(planned.job, self.out)):
            self._end(planned, Outcome("cached"))

    def step(self) -> None:
        """Take in what has ended, start what there is room for, tell the observer."""
        self._collect()
        self._look_elsewhere()
        self._start()
        self.observer.look(self.states)

    def cancel(self, key: str) -> None:
        """Have a running job end at its next safe point; its outcome is "stopped" unless it ends before that."""
        if key in self._running:
            self._cancelled.add(key)
            self._running[key][1].ask_to_stop()

    def stop(self) -> None:
        """End all that runs here."""
        self.executor.stop([running for _, running in self._running.values()])

    def _collect(self) -> None:
        """Take in what has ended."""
        for key, (planned, running) in list(self._running.items()):
            ending = running.poll()
            if ending is None:
                self.states[key] = running.state
                continue
            del self._running[key]
            outcome = judge(planned, self.out, ending, cancelled=key in self._cancelled)
            self._cancelled.discard(key)
            if outcome.status == "busy":
                self._waiting.append(planned)
                self._leave(planned)
            else:
                self._end(planned, outcome)

    def _look_elsewhere(self) -> None:
        """See which jobs of other commands have ended, and which of those commands are gone."""
        for planned in [planned for planned in self._waiting if self.states[planned.job.key] == "elsewhere"]:
            if self._retry_at[planned.job.key] > self._clock():
                continue
            if outcome := self._ended_elsewhere(planned):
                self._end(planned, outcome)
            elif self._is_free(planned):
                self.states[planned.job.key] = "waiting"
            else:
                self._leave(planned)

    def _start(self) -> None:
        """Hand over as many jobs as there is room for."""
        room = self.executor.room(len(self._running))
        ready: list[PlannedJob] = []
        for planned in [planned for planned in self._waiting if self.states[planned.job.key] == "waiting"]:
            if len(ready) == room:
                break
            if outcome := self._ended_elsewhere(planned):
                self._end(planned, outcome)
            elif self._is_free(planned):
                write_request(planned, self.out)
                ready.append(planned)
            else:
                self._leave(planned)
        if ready:
            self._hand_over(ready)

    def _hand_over(self, ready: Sequence[PlannedJob]) -> None:
        keys = {planned.job.key for planned in ready}
        self._waiting = [planned for planned in self._waiting if planned.job.key not in keys]
        self.states |= dict.fromkeys(keys, self.executor.begins_as)
        submitted = self.executor.submit(ready, lambda: self.observer.look(self.states))
        for planned, running in zip(ready, submitted, strict=True):
            self._running[planned.job.key] = planned, running

    def _ended_elsewhere(self, planned: PlannedJob) -> Outcome | None:
        if has_all(planned, JobFolder.of(planned.job, self.out)):
            return Outcome("cached")
        return self._failures.new(planned.job)

    def _is_free(self, planned: PlannedJob) -> bool:
        """Whether nobody runs a job; forgets the error of an earlier start, not to be taken for one of the next."""
        folder = JobFolder.of(planned.job, self.out)
        with folder.lock() as mine:
            if mine:
                folder.failure.unlink(missing_ok=True)
            return mine

    def _leave(self, planned: PlannedJob) -> None:
        """To the other command that runs it, for a while."""
        self.states[planned.job.key] = "elsewhere"
        self._retry_at[planned.job.key] = self._clock() + RETRY_SECONDS

    def _end(self, planned: PlannedJob, outcome: Outcome) -> None:
        assert outcome.status != "busy"
        self._waiting = [other for other in self._waiting if other is not planned]
        self.states[planned.job.key] = outcome.status
        self.observer.ended(planned, outcome)


def judge(planned: PlannedJob, out: Path, ending: Ending, *, cancelled: bool = False) -> Outcome:
    """What the end of a process means for its job.

    A process that left neither result nor error is told by error.json, unless another process has taken over.

    Args:
        cancelled: whether it was asked to stop.
    """
    folder = JobFolder.of(planned.job, out)
    if has_all(planned, folder):
        return Outcome("cached" if ending.status == ExitStatus.CACHED else "done")
    if ending.status == ExitStatus.BUSY:
        return Outcome("busy")
    with folder.lock() as mine:
        if not mine or not ending.ours:
            return Outcome("busy")
        if failure := read_failure(folder):
            return failure
        if cancelled:
            return Outcome("stopped")
        output = folder.last_output()
        message = ending.why + (f"; the end of its output: {output.splitlines()[-1]}" if output else "")
        return record_early_failure(planned, folder, DIED, message, output)


DIED = "ProcessDied"
"""The type of the failure of a job whose process left none itself."""
