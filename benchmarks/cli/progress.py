"""How jobs are going: a live bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.execution import Outcome, Watcher
from benchmarks.expansion import PlannedJob

LOG_SECONDS = 30.0
"""Between two lines where there is no terminal."""
SYNC_SECONDS = 60.0
"""Between two looks of the tracker at a job that is being trained."""


class JobDisplay:
    """Follows jobs one after the other. Use as a context."""

    def __init__(self, console: Console, jobs: list[PlannedJob], out: Path, saved: Callable[[Path], object]):
        self.console, self.jobs, self.out, self.saved = console, jobs, out, saved
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> JobDisplay:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def watch(self, planned: PlannedJob) -> Watcher:
        """A watcher that shows this job."""
        name = self._name(planned)
        total = planned.job.training.iterations
        task = self.progress.add_task(name, total=total, status="starting", visible=False)
        rate = _Rate()
        say = _NowAndThen(LOG_SECONDS)

        tell = _NowAndThen(SYNC_SECONDS)

        def training(done: int, losses: dict[str, float], learning_rate: float) -> None:
            status = f"loss {losses['loss']:.2f}, {rate.update(done):.2f} it/s"
            terms = ", ".join(f"{term} {value:.2f}" for term, value in losses.items() if term != "loss")
            description = f"{name}\n[dim]  {terms}[/dim]"
            self.progress.update(task, completed=done, status=status, description=description, visible=True)
            left = rate.left(total - done)
            say(lambda: self._log(f"{name}: iteration {done}/{total}, {status} ({terms}), {left} of training left"))
            tell(lambda: self.saved(planned.job.folder(self.out)))

        def validation(metrics: dict[str, float]) -> None:
            self.console.print(f"{name}: validation PQ {metrics['pq']:.3f}, F1 {metrics['f1']:.3f}", style="dim")
            rate.restart()

        def prediction(done: int, images: int) -> None:
            self.progress.update(task, total=images, completed=done, status="testing", visible=True)
            say(lambda: self._log(f"{name}: tested {done}/{images} images"))

        return Watcher(training, validation, prediction, self.saved)

    def ended(self, planned: PlannedJob, outcome: Outcome) -> None:
        """Say how a job ended."""
        for task in self.progress.tasks:
            self.progress.update(task.id, visible=False)
        text = {"done": "done", "cached": "done before"}.get(outcome.status, f"failed: {outcome.error}")
        style = "red" if outcome.status == "failed" else "green"
        self.console.print(f"{self._name(planned)}: {text}", style=style, markup=False, highlight=False)

    def _log(self, line: str) -> None:
        """A line for a log; a terminal has the bar."""
        if not self.console.is_terminal:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _name(self, planned: PlannedJob) -> str:
        position = self.jobs.index(planned) + 1
        return f"{position}/{len(self.jobs)} {planned.label}, seed {planned.job.seed}"


class _Rate:
    """Iterations a second since the last (re)start of the clock."""

    def __init__(self) -> None:
        self.first: tuple[float, int] | None = None
        self.value = 0.0

    def update(self, done: int) -> float:
        now = time.perf_counter()
        if self.first is None:
            self.first = now, done
        elif done > self.first[1]:
            self.value = (done - self.first[1]) / (now - self.first[0])
        return self.value

    def restart(self) -> None:
        self.first = None

    def left(self, iterations: int) -> str:
        return f"{iterations / self.value / 60:.1f} min" if self.value else "?"


class _NowAndThen:
    """Calls a function, but not more often than every `seconds`; the first time after as long."""

    def __init__(self, seconds: float):
        self.seconds, self.last = seconds, time.perf_counter()

    def __call__(self, action: Callable[[], object]) -> None:
        if time.perf_counter() - self.last >= self.seconds:
            action()
            self.last = time.perf_counter()
