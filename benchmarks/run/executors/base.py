"""What the scheduler asks of an executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.executors.ending import Ending

State = Literal["waiting", "queued", "running", "elsewhere", "done", "cached", "failed", "stopped"]


class Running(Protocol):
    """A job that was handed over to an executor."""

    @property
    def state(self) -> State:
        """Whether it is queued or running."""

    def poll(self) -> Ending | None:
        """How its process ended; None before that."""

    def ask_to_stop(self) -> None:
        """Have it end at its next safe point, where it saves a checkpoint."""


class Executor(Protocol):
    """Something that runs jobs: in this process, in processes of this machine, or on a cluster."""

    begins_as: State
    """What a job is as soon as it is handed over: running, or queued."""

    def room(self, running: int) -> int:
        """How many more jobs it takes while so many run."""

    def submit(self, jobs: Sequence[PlannedJob], tick: Callable[[], None]) -> list[Running]:
        """Hand over jobs, each with its request in its folder and no error of an earlier start.

        Args:
            tick: to be called now and then by an executor that returns only when the jobs have ended.
        """

    def stop(self, running: Sequence[Running]) -> None:
        """End what runs, leaving checkpoints where there is time; returns when nothing is left."""


def counted(number: int) -> str:
    """1 job, 2 jobs."""
    return f"{number} job" if number == 1 else f"{number} jobs"
