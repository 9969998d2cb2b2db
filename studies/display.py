"""How a study is going: a live table on a terminal, a line a trial in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from benchmarks.machine.terminal import LiveDisplay
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.pace import duration
from benchmarks.training.curves import read_curve
from studies.plans import AnyPlan
from studies.records import TrialRecord, best_trial, pareto_front
from studies.specification import objective_title, short_name, shown_value
from studies.trial import printed

STYLES = {"waiting": "dim", "running": "cyan", "complete": "", "pruned": "yellow", "failed": "red"}
LOG_SECONDS = 60.0
"""Between two lines where there is no terminal and no trial ends."""


class StudyDisplay(LiveDisplay):
    """Follows a study. Use as a context, and call `look` with all trials now and then."""

    def __init__(self, console: Console, plan: AnyPlan, out: Path, jobs: int):
        super().__init__(console)
        self.plan, self.out, self.jobs = plan, out, jobs
        self._told: set[int] | None = None
        self._last = time.monotonic()

    def look(self, trials: Sequence[TrialRecord]) -> None:
        """Show where the trials are."""
        if self._live:
            self._live.update(self.table(trials), refresh=True)
            return
        if self._told is None:  # those of an earlier start are not news
            self._told = {trial.number for trial in trials if trial.ended}
        for trial in trials:
            if trial.ended and trial.number not in self._told:
                self._told.add(trial.number)
                self._say(self._line(trial))
        if time.monotonic() - self._last > LOG_SECONDS:
            self._say(self.summary(trials))

    def print_results(self, trials: Sequence[TrialRecord]) -> None:
        """Every trial, at the end."""
        self.console.print(self.table(trials, rows=len(trials)))
        if len(self.plan.spec.objectives) > 1 and (front := pareto_front(self.plan.spec, trials)):
            numbers = ", ".join(str(trial.number) for trial in front)
            self.console.print(
                f"no trial is better in everything than: trial {numbers} (the Pareto front)", highlight=False
            )
        for trial in trials:
            if trial.state == "failed":
                reason = (trial.error or "no reason known").partition("\n")[0]
                self.console.print(f"trial {trial.number} failed: {reason}", style="red", markup=False, highlight=False)

    def table(self, trials: Sequence[TrialRecord], rows: int | None = None) -> Group:
        """Trials that have begun, the last `rows` of them (as many as fit), and a line below."""
        begun = [trial for trial in trials if trial.state != "waiting"]
        rows = max(5, self.console.height - 8) if rows is None else rows
        best = best_trial(self.plan.spec, trials)
        title = Text(self.plan.spec.title, "bold")
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        names, objectives = map(short_name, self.plan.spec.search), map(objective_title, self.plan.spec.objectives)
        for heading in ("#", "state", *objectives, "s", *names):  # a narrow terminal cuts what is last
            left = heading == "state"
            width = 8 if left else max(map(len, heading.split()))  # words of headings stay whole
            table.add_column(Text(heading), justify="left" if left else "right", min_width=width)
        for trial in begun[-rows:]:
            style = "bold green" if best and trial.number == best.number else STYLES[trial.state]
            table.add_row(*self._cells(trial), style=style)
        return Group(table, Text(self.summary(trials)))

    def summary(self, trials: Sequence[TrialRecord]) -> str:
        """How many of how many, the best so far, the time that is left."""
        ended = sum(trial.ended for trial in trials)
        pruned, failed = (sum(trial.state == state for trial in trials) for state in ("pruned", "failed"))
        parts = [f"{ended} of {len(trials)} trials"]
        parts += [f"{pruned} pruned"] * bool(pruned) + [f"{failed} failed"] * bool(failed)
        if best := best_trial(self.plan.spec, trials):
            equals = sum(trial.values[:1] == best.values[:1] for trial in trials) - 1
            which = f"trial {best.number}" + (f" and {equals} others" if equals else "")
            parts.append(f"best {objective_title(self.plan.spec.objectives[0])} {best.values[0]:.4f} ({which})")
        if ended < len(trials):
            seconds = seconds_left(trials, self.jobs, self._progress, datetime.now())
            parts.append(f"ETA {duration(seconds)}")
        return ", ".join(parts)

    def _cells(self, trial: TrialRecord) -> list[str]:
        values = list(map(shown_value, self.plan.spec.objectives, trial.values))
        values += [""] * (len(self.plan.spec.objectives) - len(values))
        state = str(trial.state) + (" (done before)" if trial.cached else "")
        seconds = trial.seconds
        if trial.state == "running":
            done = self._progress(trial)
            state += f" {done:.0%}" if done else ""
            seconds = (datetime.now() - trial.started).total_seconds() if trial.started else None
        params = [printed(trial.params[path]) if path in trial.params else "" for path in self.plan.spec.search]
        return [str(trial.number), state, *values, f"{seconds:.0f}" if seconds is not None else "", *params]

    def _progress(self, trial: TrialRecord) -> float:
        """Share of the iterations that a running trial's job has done, as far as its folder is here."""
        total = self.plan.iterations
        if trial.key is None or not total:
            return 0.0
        rows = read_curve(JobFolder.named(trial.key, self.out).losses)
        return rows[-1]["iteration"] / total if rows else 0.0

    def _line(self, trial: TrialRecord) -> str:
        params = ", ".join(f"{short_name(path)} {printed(value)}" for path, value in trial.params.items())
        values = ", ".join(
            f"{objective_title(name)} {shown_value(name, value)}"
            for name, value in zip(self.plan.spec.objectives, trial.values, strict=False)
        )
        text = {"failed": f"failed: {trial.error}", "pruned": "pruned"}.get(trial.state, values)
        before = " (done before)" if trial.cached else ""
        return f"trial {trial.number} ({params}): {text}{before}"

    def _say(self, line: str) -> None:
        self._last = time.monotonic()
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def seconds_left(
    trials: Sequence[TrialRecord], jobs: int, progress: Callable[[TrialRecord], float], now: datetime
) -> float | None:
    """Until all trials have ended, by how long those took that were run; None where none tells.

    Args:
        progress: from a running trial to the share of it that is done.
    """
    spent = {t.number: (now - t.started).total_seconds() for t in trials if t.state == "running" and t.started}
    took = [trial.seconds for trial in trials if trial.ended and not trial.cached and trial.seconds]
    if not took:
        shares = [(trial, progress(trial)) for trial in trials if trial.number in spent]
        took = [spent[trial.number] / share for trial, share in shares if share > 0.05]
    if not took:
        return None
    each = fmean(took)
    left = [max(0.0, each - seconds) for seconds in spent.values()]
    left += [each for trial in trials if trial.state == "waiting"]
    return max(sum(left) / jobs, max(left, default=0.0))  # the last trials leave processes idle
