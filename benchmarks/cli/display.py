"""Shows how jobs are going, wherever they run: a live table on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from benchmarks.machine.terminal import LiveDisplay
from benchmarks.plan.expansion import PlannedJob
from benchmarks.run.execution import Outcome
from benchmarks.run.executors.base import State, counted
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.pace import Throttle, duration
from benchmarks.store.progress import JobProgress, read_progress

LOOK_SECONDS = 1.0
LOG_SECONDS = 30.0
"""Seconds between two lines where there is no terminal."""
SYNC_SECONDS = 60.0
"""Seconds between two looks of the tracker at jobs that are being trained."""
LINES_AROUND = 6
"""Lines of a terminal that are not for jobs."""
ORDER: tuple[State, ...] = ("running", "elsewhere", "failed", "queued", "waiting", "done", "cached")
"""Which jobs are shown first where there are more than lines."""
WORDS: dict[State, str] = {"elsewhere": "runs elsewhere", "cached": "there before"}
STYLES: dict[State, str] = {"done": "green", "cached": "green", "failed": "red", "waiting": "dim", "queued": "dim"}


class JobsDisplay(LiveDisplay):
    """Follows jobs by the files in their folders. Use as a context.

    Args:
        jobs: the jobs, each key once.
        saved: called with folders that have something new.
        slots: how many jobs may run at a time.

    Attributes:
        outcomes: how the jobs that have ended did, by key.
    """

    def __init__(
        self, console: Console, jobs: Sequence[PlannedJob], out: Path, saved: Callable[[Path], object], slots: int
    ):
        super().__init__(console)
        self.jobs, self.out, self.saved, self.slots = jobs, out, saved, slots
        self.outcomes: dict[str, Outcome] = {}
        self.names = job_names(jobs)
        self._states: Mapping[str, State] = {}
        self._progress: dict[str, JobProgress] = {}
        self._begun: dict[str, float] = {}
        self._durations: list[float] = []
        self._look, self._say, self._sync = (Throttle(seconds) for seconds in (LOOK_SECONDS, LOG_SECONDS, SYNC_SECONDS))

    def look(self, states: Mapping[str, State]) -> None:
        """Show how all jobs are."""
        self._states = states
        for key in self._in("running"):
            self._begun.setdefault(key, time.monotonic())
        self._look(self._show)
        self._sync(self._tell)

    def ended(self, planned: PlannedJob, outcome: Outcome) -> None:
        """Say how a job ended."""
        key, folder = planned.job.key, JobFolder.of(planned.job, self.out)
        self.outcomes[key] = outcome
        if outcome.status == "done" and key in self._begun:
            self._durations.append(time.monotonic() - self._begun[key])
        say_ended(self.console, self.names[key], outcome)
        if folder.begun:
            self.saved(folder.path)

    def _in(self, *states: State) -> list[str]:
        return [key for key, state in self._states.items() if state in states]

    def _show(self) -> None:
        for planned in self.jobs:
            runs = self._states[planned.job.key] in ("running", "elsewhere")
            if runs and (progress := read_progress(JobFolder.of(planned.job, self.out))):
                self._progress[planned.job.key] = progress
        if self._live:
            self._live.update(self.render(), refresh=True)
        else:
            self._say(self._log)

    def _log(self) -> None:
        for key in self._in("running"):
            text = self._progress[key].describe() if key in self._progress else "starting"
            self.console.print(f"{self.names[key]}: {text}", markup=False, highlight=False, soft_wrap=True)
        if len(self.jobs) > 1:
            self.console.print(self.summary(), markup=False, highlight=False, soft_wrap=True)

    def _tell(self) -> None:
        """Tell the tracker of what runs here; other commands tell theirs."""
        for key in self._in("running"):
            folder = JobFolder.named(key, self.out)
            if folder.begun:
                self.saved(folder.path)

    def render(self) -> Group:
        """Draw the table, and a line for all."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("job", "state", "progress"):
            table.add_column(heading, no_wrap=True)
        for heading in ("loss", "it/s", "ETA"):
            table.add_column(heading, justify="right", no_wrap=True)
        room = max(1, self.console.height - LINES_AROUND)
        ranked = sorted(self._states, key=lambda key: ORDER.index(self._states[key]))
        shown = set(ranked[:room])
        for key, state in self._states.items():
            if key in shown:
                table.add_row(*self._row(key, state))
        rest = Counter(WORDS.get(self._states[key], self._states[key]) for key in ranked[room:])
        more = Text("… and " + ", ".join(f"{count} {word}" for word, count in rest.items()), "dim")
        return Group(table, *([more] if rest else []), Text(self.summary(), "bold"))

    def _row(self, key: str, state: State) -> list[Text | ProgressBar]:
        word = Text(WORDS.get(state, state), STYLES.get(state, ""))
        name = Text(self.names[key], STYLES.get(state, ""), overflow="ellipsis")
        progress = self._progress.get(key) if state in ("running", "elsewhere") else None
        if progress is None:
            return [name, Text("starting") if state == "running" else word]
        bar = ProgressBar(total=max(1, progress.total), completed=progress.done, width=16)
        if progress.phase != "training":
            return [name, Text(f"{progress.phase} {progress.done}/{progress.total}"), bar]
        loss, rate = progress.losses.get("loss"), progress.rate
        cells = ["" if value is None else f"{value:.2f}" for value in (loss, rate)]
        count = Text(f"{progress.done}/{progress.total}" + (", elsewhere" if state == "elsewhere" else ""))
        return [name, count, bar, *map(Text, cells), Text(duration(progress.seconds_left))]

    def summary(self) -> str:
        """Say how many jobs are in which state, and how long all may take."""
        counts = Counter(self._states.values())
        parts = ", ".join(f"{counts[state]} {WORDS.get(state, state)}" for state in ORDER if counts[state])
        left = self._forecast()
        return f"{counted(len(self.jobs))}: {parts}" + (f"; about {duration(left)} left" if left else "")

    def _forecast(self) -> float | None:
        now = time.monotonic()
        running = []
        for key in self._in("running"):
            progress = self._progress.get(key)
            left = progress.seconds_left if progress and progress.phase == "training" else None
            running.append((now - self._begun[key], left))
        return forecast(running, len(self._in("waiting", "queued")), self._durations, self.slots)


def forecast(
    running: Iterable[tuple[float, float | None]], waiting: int, durations: Sequence[float], slots: int
) -> float | None:
    """Estimate the seconds until all jobs have ended, if those that wait take as long as those that are known.

    Args:
        running: for each job that runs, seconds since its start and, where known, seconds left.
        waiting: how many jobs do not run yet.
        durations: the seconds that ended jobs took.
        slots: how many jobs run at a time.

    Returns:
        None where nothing is known.
    """
    running = list(running)
    known = [*durations, *(elapsed + left for elapsed, left in running if left is not None)]
    if not known:
        return None
    typical = mean(known)
    rest = [max(0.0, typical - elapsed) if left is None else left for elapsed, left in running]
    return max([*rest, (sum(rest) + waiting * typical) / slots])


def job_names(jobs: Sequence[PlannedJob]) -> dict[str, str]:
    """Name each job for a reader, by key."""
    data = {planned.job.data.name for planned in jobs}

    def name(number: int, planned: PlannedJob) -> str:
        where = f", {planned.job.data.name}" if len(data) > 1 else ""
        return f"{number}/{len(jobs)} {planned.label}, seed {planned.job.seed}{where}"

    return {planned.job.key: name(number, planned) for number, planned in enumerate(jobs, 1)}


def say_ended(console: Console, name: str, outcome: Outcome) -> None:
    """Print how a job ended."""
    text = {"done": "done", "cached": "done before"}.get(outcome.status, f"failed: {outcome.error}")
    style = "red" if outcome.status == "failed" else "green"
    console.print(f"{name}: {text}", style=style, markup=False, highlight=False, soft_wrap=True)
