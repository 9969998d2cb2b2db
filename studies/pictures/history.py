"""The history of a study: the objective of each trial, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from benchmarks.errors import UserError
from studies.pictures.style import BEST, OTHER, SMALL, TRIAL, completed, new_figure, save, tidy
from studies.records import TrialRecord
from studies.specification import StudySpec, maximised, objective_title


def draw_history(spec: StudySpec, trials: Sequence[TrialRecord], path: Path) -> str:
    """Draw the first objective of every trial; return the caption.

    Raises:
        UserError: no trial is complete.
    """
    done = completed(trials)
    if not done:
        raise UserError("No history: no trial is complete.")
    objective = spec.objectives[0]
    figure = new_figure(5.5, 2.8)
    axes = figure.add_subplot()
    numbers, values = [trial.number for trial in done], [trial.values[0] for trial in done]
    best = list(accumulate(values, max if maximised(objective) else min))
    axes.plot(numbers, values, "o", color=TRIAL, markersize=3.5, label="complete")
    last = max(trial.number for trial in trials if trial.ended)
    axes.step([*numbers, last], [*best, best[-1]], where="post", color=BEST, linewidth=1.2, label="best so far")
    pruned = [trial for trial in trials if trial.state == "pruned" and trial.intermediate]
    if pruned:
        reached = [trial.intermediate[max(trial.intermediate)] for trial in pruned]
        axes.plot([t.number for t in pruned], reached, "x", color=OTHER, markersize=4, label="pruned (last validation)")
    for trial in trials:
        if trial.state == "failed":
            axes.axvline(trial.number, color=OTHER, linewidth=0.6, linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial", fontsize=SMALL)
    axes.set_ylabel(objective_title(objective), fontsize=SMALL)
    axes.legend(fontsize=SMALL, frameon=False)
    tidy(axes)
    save(figure, path)
    failed = sum(trial.state == "failed" for trial in trials)
    return f"{objective_title(objective)} of each trial." + (f" Dotted: {failed} failed." if failed else "")
