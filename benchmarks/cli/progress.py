"""How jobs of this process are going: a live bar on a terminal, a line now and then in a log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.execution import Outcome
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.pace import NowAndThen, Rate, duration
from benchmarks.training.watcher import Watcher

LOG_SECONDS = 30.0
"""Between two lines where there is no terminal."""
SYNC_SECONDS = 60.0
"""Between two looks of the tracker at a job that is being trained."""


class JobDisplay:
    """Follows jobs one after the other. Use as a context.

    Attributes:
        outcomes: of the jobs that have ended, by key.
    """

    def __init__(self, console: Console, jobs: Sequence[PlannedJob], out: Path, saved: Callable[[Path], object]):
        self.console, self.out, self.saved = console, out, saved
        self.names = job_names(jobs)
        self.outcomes: dict[str, Outcome] = {}
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
        name = self.names[planned.job.key]
        total = planned.job.training.iterations
        task = self.progress.add_task(name, total=total, status="starting", visible=False)
        rate = Rate()
        say = NowAndThen(LOG_SECONDS)
        tell = NowAndThen(SYNC_SECONDS)

        def training(done: int, losses: dict[str, float], learning_rate: float) -> None:
            rate.update(done)
            status = f"loss {losses['loss']:.2f}, {rate.value or 0:.2f} it/s"
            terms = ", ".join(f"{term} {value:.2f}" for term, value in losses.items() if term != "loss")
            description = f"{name}\n[dim]  {terms}[/dim]"
            self.progress.update(task, completed=done, status=status, description=description, visible=True)
            left = duration(rate.seconds(total - done))
            say(lambda: self._log(f"{name}: iteration {done}/{total}, {status} ({terms}), {left} of training left"))
            tell(lambda: self.saved(JobFolder.of(planned.job, self.out).path))

        def validation(metrics: dict[str, float]) -> None:
            self.console.print(f"{name}: validation PQ {metrics['pq']:.3f}, F1 {metrics['f1']:.3f}", style="dim")
            rate.restart()

        def choosing(done: int, images: int) -> None:
            self.progress.update(task, total=images, completed=done, status="choosing thresholds", visible=True)
            say(lambda: self._log(f"{name}: choosing thresholds, {done}/{images} images"))

        def prediction(done: int, images: int) -> None:
            self.progress.update(task, total=images, completed=done, status="testing", visible=True)
            say(lambda: self._log(f"{name}: tested {done}/{images} images"))

        return Watcher(training, validation, prediction, self.saved, choosing=choosing)

    def ended(self, planned: PlannedJob, outcome: Outcome) -> None:
        """Say how a job ended."""
        self.outcomes[planned.job.key] = outcome
        for task in self.progress.tasks:
            self.progress.update(task.id, visible=False)
        say_ended(self.console, self.names[planned.job.key], outcome)

    def _log(self, line: str) -> None:
        """A line for a log; a terminal has the bar."""
        if not self.console.is_terminal:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def job_names(jobs: Sequence[PlannedJob]) -> dict[str, str]:
    """What a reader sees of each job, by key."""
    data = {planned.job.data.name for planned in jobs}

    def name(number: int, planned: PlannedJob) -> str:
        where = f", {planned.job.data.name}" if len(data) > 1 else ""
        return f"{number}/{len(jobs)} {planned.label}, seed {planned.job.seed}{where}"

    return {planned.job.key: name(number, planned) for number, planned in enumerate(jobs, 1)}


def say_ended(console: Console, name: str, outcome: Outcome) -> None:
    """A line of how a job ended."""
    text = {"done": "done", "cached": "done before"}.get(outcome.status, f"failed: {outcome.error}")
    style = "red" if outcome.status == "failed" else "green"
    console.print(f"{name}: {text}", style=style, markup=False, highlight=False, soft_wrap=True)
