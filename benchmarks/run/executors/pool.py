"""Which job is started when, beside other commands that share the work, and what the end of its process means."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.execution import Outcome
from benchmarks.run.executors.ending import Ending, ExitStatus
from benchmarks.run.executors.failures import Failures, read_failure, record_early_failure
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.request import write_request

LOOK_SECONDS = 0.2
RETRY_SECONDS = 2.0
"""Between two looks at a job that another command is running."""

State = Literal["waiting", "queued", "running", "elsewhere", "done", "cached", "failed"]


class Running(Protocol):
    """A job that was handed over to a process."""

    @property
    def state(self) -> State:
        """Whether it is queued or running."""

    def poll(self) -> Ending | None:
        """How its process ended; None before that."""


class Executor(Protocol):
    """Something that runs jobs in processes of their own."""

    def room(self, running: int) -> int:
        """How many more jobs it takes while so many run."""

    def submit(self, jobs: Sequence[PlannedJob]) -> list[Running]:
        """Hand over jobs, each with its request in its folder and no error of an earlier start."""

    def stop(self, running: Sequence[Running]) -> None:
        """End what runs, leaving checkpoints where there is time; returns when nothing is left."""


class Observer(Protocol):
    """Who is told."""

    def look(self, states: Mapping[str, State]) -> None:
        """Called a few times a second with the state of every job, by key."""

    def ended(self, planned: PlannedJob, outcome: Outcome) -> None:
        """Called once for every job."""


def counted(number: int) -> str:
    """1 job, 2 jobs."""
    return f"{number} job" if number == 1 else f"{number} jobs"


class Pool:
    """Brings jobs to their end; a failed one does not stop the others.

    Args:
        jobs: each key once.
        out: the results' folder.
        sleep, clock: of the time, in seconds.

    Attributes:
        states: of every job by key, also after an interrupt.
    """

    def __init__(
        self,
        jobs: Sequence[PlannedJob],
        out: Path,
        executor: Executor,
        observer: Observer,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.out, self.executor, self.observer = out, executor, observer
        self.states: dict[str, State] = {planned.job.key: "waiting" for planned in jobs}
        self._sleep, self._clock = sleep, clock
        self._waiting = list(jobs)
        self._running: dict[str, tuple[PlannedJob, Running]] = {}
        self._failures = Failures(jobs, out)
        self._retry_at: dict[str, float] = {}

    def run(self) -> None:
        """Return when every job has ended, here or elsewhere.

        Raises:
            KeyboardInterrupt: nothing runs any more.
        """
        for planned in list(self._waiting):
            if JobFolder.of(planned.job, self.out).done:
                self._end(planned, Outcome("cached"))
        try:
            while self._waiting or self._running:
                self._collect()
                self._look_elsewhere()
                self._start()
                self.observer.look(self.states)
                if self._waiting or self._running:
                    self._sleep(LOOK_SECONDS)
        except BaseException:
            self.executor.stop([running for _, running in self._running.values()])
            raise

    def _collect(self) -> None:
        """Take in what has ended."""
        for key, (planned, running) in list(self._running.items()):
            ending = running.poll()
            if ending is None:
                self.states[key] = running.state
                continue
            del self._running[key]
            outcome = judge(planned, self.out, ending)
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
            keys = {planned.job.key for planned in ready}
            self._waiting = [planned for planned in self._waiting if planned.job.key not in keys]
            for planned, running in zip(ready, self.executor.submit(ready), strict=True):
                self._running[planned.job.key] = planned, running
                self.states[planned.job.key] = running.state

    def _ended_elsewhere(self, planned: PlannedJob) -> Outcome | None:
        if JobFolder.of(planned.job, self.out).done:
            return Outcome("cached")
        return self._failures.new(planned)

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


def judge(planned: PlannedJob, out: Path, ending: Ending) -> Outcome:
    """What the end of a process means for its job.

    A process that left neither result nor error is told by error.json, unless another process has taken over.
    """
    folder = JobFolder.of(planned.job, out)
    if folder.done:
        return Outcome("cached" if ending.status == ExitStatus.CACHED else "done")
    if ending.status == ExitStatus.BUSY:
        return Outcome("busy")
    with folder.lock() as mine:
        if not mine or not ending.ours:
            return Outcome("busy")
        if failure := read_failure(folder):
            return failure
        output = folder.last_output()
        message = ending.why + (f"; the end of its output: {output.splitlines()[-1]}" if output else "")
        return record_early_failure(planned, folder, "ProcessDied", message, output)
