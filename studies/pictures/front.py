"""Quality against cost: all complete trials, and those that no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.errors import UserError
from studies.pictures.style import BEST, MAP, SMALL, completed, new_figure, save, tidy
from studies.records import TrialRecord, pareto_front
from studies.specification import StudySpec, objective_title


def draw_front(spec: StudySpec, trials: Sequence[TrialRecord], path: Path) -> str:
    """Draw the first objective over the second, coloured by the number of parameters; return the caption.

    Raises:
        UserError: no trial is complete.
    """
    done = completed(trials)
    if not done:
        raise UserError("No Pareto front: no trial is complete.")
    front = pareto_front(spec, trials)
    figure = new_figure(5.2, 3.2)
    axes = figure.add_subplot()
    millions = [(trial.costs.get("parameters") or 0) / 1e6 for trial in done]
    points = axes.scatter(
        [t.values[1] for t in done], [t.values[0] for t in done], c=millions, cmap=MAP, s=26, edgecolors="w", zorder=3
    )
    line = sorted((trial.values[1], trial.values[0]) for trial in front)
    axes.plot(
        *zip(*line, strict=True), color=BEST, linewidth=1.2, drawstyle="steps-post", label="Pareto front", zorder=2
    )
    rings = axes.scatter([x for x, _ in line], [y for _, y in line], s=70, edgecolors=BEST, linewidths=1.4, zorder=4)
    rings.set_facecolor("none")
    for trial in front:
        place = (trial.values[1], trial.values[0])
        axes.annotate(str(trial.number), place, (4, 4), textcoords="offset points", fontsize=6.5)
    bar = figure.colorbar(points, ax=axes)
    bar.ax.tick_params(labelsize=SMALL)
    bar.set_label("parameters (millions)", fontsize=SMALL)
    axes.set_xlabel(objective_title(spec.objectives[1]), fontsize=SMALL)
    axes.set_ylabel(objective_title(spec.objectives[0]), fontsize=SMALL)
    axes.legend(fontsize=SMALL, frameon=False)
    tidy(axes)
    save(figure, path)
    return (
        f"{objective_title(spec.objectives[0])} against {objective_title(spec.objectives[1])} of {len(done)} trials. "
        f"No trial beats a ringed one in both: {', '.join(str(trial.number) for trial in front)}."
    )
