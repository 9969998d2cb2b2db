"""Jobs in this process, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data import Dataset
from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.executors.base import Running, State
from benchmarks.run.executors.ending import Ending, ExitStatus
from benchmarks.run.planned import OpenDatasets, run_planned
from benchmarks.training.watcher import StopRequested, Watcher


@dataclass
class InProcessJob:
    """A job that runs, to its end, when it is first polled.

    Attributes:
        tick: called at every iteration and every image.
    """

    planned: PlannedJob
    executor: InProcessExecutor
    tick: Callable[[], None]
    state: State = "running"
    stop_asked: bool = False

    def poll(self) -> Ending:
        """Run it.

        Raises:
            KeyboardInterrupt: it has left its last checkpoint.
        """
        executor = self.executor
        watcher = Watcher(
            training=lambda *_: self.tick(),
            choosing=lambda *_: self._after_image(),
            prediction=lambda *_: self._after_image(),
            scoring=lambda *_: self._after_image(),
            stopping=lambda: self.stop_asked,
        )
        try:
            outcome = run_planned(
                self.planned, executor.datasets, executor.out, executor.device, watcher, processes=executor.processes
            )
        except StopRequested:
            return Ending(ExitStatus.STOPPED, "it was asked to stop")
        return Ending(ExitStatus[outcome.status.upper()], outcome.error or outcome.status)

    def ask_to_stop(self) -> None:
        """Called from the tick."""
        self.stop_asked = True

    def _after_image(self) -> None:
        self.tick()
        if self.stop_asked:
            raise StopRequested


class InProcessExecutor:
    """Runs one job at a time, on the main thread.

    Args:
        processes: that train one job together.
        datasets: that are open already; others are opened as jobs need them.
    """

    begins_as: State = "running"

    def __init__(self, out: Path, device: str, *, processes: int = 1, datasets: Iterable[Dataset] = ()):
        self.out, self.device, self.processes = out, device, processes
        self.datasets = OpenDatasets(datasets)

    def room(self, running: int) -> int:
        return 1 - running

    def submit(self, jobs: Sequence[PlannedJob], tick: Callable[[], None]) -> list[Running]:
        return [InProcessJob(planned, self, tick) for planned in jobs]

    def stop(self, running: Sequence[Running]) -> None:
        """Nothing is left to end: what interrupts this process interrupts its job."""
