"""Scheduling with a clock and processes that are not real."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest
from results import write_empty_result

from benchmarks.data import open_dataset
from benchmarks.files import write_json
from benchmarks.plan.expansion import PlannedJob, expand_table
from benchmarks.plan.job import JobContext
from benchmarks.plan.tables import load_table
from benchmarks.run.execution import Outcome
from benchmarks.run.executors.base import Running, State
from benchmarks.run.executors.ending import Ending, ExitStatus
from benchmarks.run.scheduler import RETRY_SECONDS, Scheduler
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.request import read_request


@pytest.fixture(scope="module")
def jobs() -> list[PlannedJob]:
    dataset = open_dataset("synthetic-nuclei?size=64&train=1&val=1&test=1")
    return expand_table(load_table("table4"), JobContext.on(dataset, "smoke"), seeds=1).jobs[:5]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakeJob:
    """A job that ends at a time, leaving what its script says."""

    folder: Path
    ends: float
    status: int
    clock: Clock
    state: State = "running"

    def ask_to_stop(self) -> None:
        self.ends, self.status = self.clock.now, ExitStatus.STOPPED

    def poll(self) -> Ending | None:
        if self.clock.now < self.ends:
            return None
        if self.status == ExitStatus.DONE:
            write_empty_result(JobFolder(self.folder))
        if self.status == ExitStatus.FAILED:
            JobFolder(self.folder).write_failure("ValueError", "bad luck", "")
        return Ending(self.status, "the process was killed by SIGKILL")


@dataclass
class FakeExecutor:
    """Jobs take a second each; `statuses` are their ends, in the order of their starts."""

    begins_as: ClassVar[State] = "running"

    out: Path
    clock: Clock
    slots: int = 2
    statuses: list[int] = field(default_factory=list)
    started: list[tuple[float, str]] = field(default_factory=list)
    most: int = 0
    stopped: int | None = None

    def room(self, running: int) -> int:
        self.most = max(self.most, running)
        return self.slots - running

    def submit(self, jobs: Sequence[PlannedJob], tick: Callable[[], None]) -> list[Running]:
        return [self._start(planned) for planned in jobs]

    def _start(self, planned: PlannedJob) -> Running:
        folder = JobFolder.of(planned.job, self.out).path
        assert read_request(JobFolder(folder)) == planned
        assert not (folder / "error.json").exists()
        status = self.statuses.pop(0) if self.statuses else ExitStatus.DONE
        self.started.append((self.clock.now, planned.job.key))
        return FakeJob(folder, self.clock.now + 1, status, self.clock)

    def stop(self, running: Sequence[Running]) -> None:
        self.stopped = len(running)


@dataclass
class Seen:
    ends: list[tuple[str, Outcome]] = field(default_factory=list)
    states: list[Mapping[str, State]] = field(default_factory=list)

    def look(self, states: Mapping[str, State]) -> None:
        self.states.append(dict(states))

    def ended(self, planned: PlannedJob, outcome: Outcome) -> None:
        self.ends.append((planned.job.key, outcome))

    @property
    def statuses(self) -> list[str]:
        return [outcome.status for _, outcome in self.ends]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """As another command that runs the job."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def scheduler(jobs: Sequence[PlannedJob], executor: FakeExecutor, seen: Seen) -> Scheduler:
    one = Scheduler(executor.out, executor, seen, sleep=executor.clock.sleep, clock=executor.clock)
    for planned in jobs:
        one.add(planned)
    return one


@pytest.fixture
def executor(tmp_path: Path) -> FakeExecutor:
    return FakeExecutor(tmp_path, Clock())


def test_no_more_than_the_slots_and_all_in_turn(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    seen = Seen()
    scheduler(jobs, executor, seen).run(())
    assert executor.most == 2 and seen.statuses == ["done"] * 5
    assert [key for _, key in executor.started] == [planned.job.key for planned in jobs]
    assert executor.clock.now == pytest.approx(3, abs=1)  # five jobs of a second, two at a time
    assert executor.stopped is None


def test_what_is_there_is_not_started(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    write_empty_result(JobFolder.of(jobs[1].job, executor.out))
    seen = Seen()
    scheduler(jobs[:2], executor, seen).run(())
    assert dict(seen.ends)[jobs[1].job.key].status == "cached" and len(executor.started) == 1


def test_a_failing_job_does_not_stop_the_others(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    executor.statuses = [ExitStatus.FAILED]
    JobFolder(_made(JobFolder.of(jobs[1].job, executor.out).path)).write_failure("OldError", "of an earlier start", "")
    seen = Seen()
    scheduler(jobs[:3], executor, seen).run(())
    assert seen.statuses == ["failed", "done", "done"]
    assert seen.ends[0][1].error == "ValueError: bad luck"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_process_that_dies_is_a_failure_that_says_so(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    executor.statuses = [-9]
    folder = _made(JobFolder.of(jobs[0].job, executor.out).path)
    JobFolder(folder).log.write_text("\n".join(f"line {number}" for number in range(50)))
    seen = Seen()
    scheduler(jobs[:2], executor, seen).run(())
    assert seen.statuses == ["failed", "done"]
    error = json.loads((folder / "error.json").read_text())
    assert error["type"] == "ProcessDied" and "SIGKILL" in error["message"] and "line 49" in error["message"]
    assert error["traceback"].splitlines() == [f"line {number}" for number in range(30, 50)]
    assert json.loads((folder / "job.json").read_text())["key"] == jobs[0].job.key


def test_a_job_of_another_command_is_waited_for(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    folder = JobFolder.of(jobs[0].job, executor.out).path
    seen = Seen()
    one = scheduler(jobs[:2], executor, seen)
    clock = executor.clock
    with locked(folder):
        one._sleep = lambda seconds: _finish_at(5.0, folder, clock, seconds)
        one.run(())
    assert dict(seen.ends)[jobs[0].job.key].status == "cached"
    assert [key for _, key in executor.started] == [jobs[1].job.key]
    assert any(states[jobs[0].job.key] == "elsewhere" for states in seen.states)


def _finish_at(when: float, folder: Path, clock: Clock, seconds: float) -> None:
    """The other command's result comes while its lock is still there."""
    clock.sleep(seconds)
    if clock.now >= when:
        write_empty_result(JobFolder(folder))


def test_a_job_whose_command_is_gone_is_taken_over(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    lock = locked(JobFolder.of(jobs[0].job, executor.out).path)
    lock.__enter__()
    seen = Seen()
    one = scheduler(jobs[:1], executor, seen)

    def sleep(seconds: float) -> None:
        executor.clock.sleep(seconds)
        if 3 <= executor.clock.now < 3.2:
            lock.__exit__(None, None, None)

    one._sleep = sleep
    one.run(())
    assert seen.statuses == ["done"]
    assert 3 <= executor.started[0][0] <= 3 + RETRY_SECONDS + 0.5


def test_a_failure_of_another_command_is_not_repeated(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    folder = _made(JobFolder.of(jobs[0].job, executor.out).path)
    JobFolder(folder).write_failure("OldError", "before", "")
    seen = Seen()
    one = scheduler(jobs[:1], executor, seen)
    lock = locked(folder)
    lock.__enter__()

    def sleep(seconds: float) -> None:
        executor.clock.sleep(seconds)
        if 3 <= executor.clock.now < 3.2:
            JobFolder(folder).write_failure("NewError", "elsewhere", "")
            lock.__exit__(None, None, None)

    one._sleep = sleep
    one.run(())
    assert not executor.started and seen.ends[0][1].error == "NewError: elsewhere"


def test_a_worker_that_finds_the_job_taken_leaves_it(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    executor.statuses = [ExitStatus.BUSY, ExitStatus.CACHED]
    seen = Seen()
    one = scheduler(jobs[:1], executor, seen)
    one.executor.room(0)
    clock = executor.clock
    one._sleep = lambda seconds: _finish_at(2.0, JobFolder.of(jobs[0].job, executor.out).path, clock, seconds)
    one.run(())
    assert seen.statuses == ["cached"] and len(executor.started) == 1


def test_the_end_of_anothers_job_is_no_failure(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    """An adopted job of a cluster that was cancelled is submitted again."""
    seen = Seen()
    one = scheduler(jobs[:1], executor, seen)
    first = True

    def submit(planned: Sequence[PlannedJob], tick: Callable[[], None]) -> list[Running]:
        nonlocal first
        running = FakeExecutor.submit(executor, planned, tick)
        if first:
            running[0].poll = lambda: Ending(None, "SLURM says CANCELLED", ours=False)  # type: ignore[method-assign]
            first = False
        return running

    executor.submit = submit  # type: ignore[method-assign]
    one.run(())
    assert seen.statuses == ["done"] and len(executor.started) == 2


def test_an_interrupt_stops_what_runs(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    seen = Seen()
    one = scheduler(jobs, executor, seen)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    one._sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        one.run(())
    assert executor.stopped == 2 and not seen.ends
    assert sorted(one.states.values()) == ["running", "running", "waiting", "waiting", "waiting"]


def test_a_cancelled_job_has_stopped_and_can_go_on(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    seen = Seen()
    one = scheduler(jobs[:2], executor, seen)
    one.step()
    one.cancel(jobs[0].job.key)
    one.run(())
    assert {key: outcome.status for key, outcome in seen.ends} == {
        jobs[0].job.key: "stopped",
        jobs[1].job.key: "done",
    }
    assert not JobFolder.of(jobs[0].job, executor.out).failure.exists()
    one.cancel(jobs[0].job.key)  # it does not run any more
    one.add(jobs[0])
    one.run(())
    assert seen.statuses[-1] == "done"


def test_a_stop_that_nobody_asked_for_is_a_failure(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    executor.statuses = [ExitStatus.STOPPED]
    seen = Seen()
    scheduler(jobs[:1], executor, seen).run(())
    assert seen.statuses == ["failed"]


def test_a_finished_job_that_is_to_be_validated_is_handed_over(jobs: list[PlannedJob], executor: FakeExecutor) -> None:
    validated = replace(jobs[0], validated=True)
    folder = JobFolder.of(validated.job, executor.out)
    write_empty_result(folder)
    seen = Seen()
    one = scheduler([validated], executor, seen)
    assert not seen.ends
    write_json(folder.validation_scores, {})
    one.run(())
    assert seen.statuses == ["cached"] and not executor.started
