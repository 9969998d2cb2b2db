"""Parallel coordinates: one line for each trial through all searched settings, coloured by its objective."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from benchmarks.errors import UserError
from studies.pictures.style import MAP, SMALL, completed, new_figure, positions, save
from studies.records import TrialRecord
from studies.specification import StudySpec, maximised, objective_title, short_name

PAPER = {"facecolor": "w", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
"""The box behind labels, which lie on lines."""


def draw_coordinates(spec: StudySpec, trials: Sequence[TrialRecord], path: Path) -> str:
    """Draw all complete trials, the best ones on top; return the caption.

    Raises:
        UserError: no trial is complete.
    """
    sign = 1 if maximised(spec.objectives[0]) else -1
    done = sorted(completed(trials), key=lambda trial: sign * trial.values[0])
    if not done:
        raise UserError("No parallel coordinates: no trial is complete.")
    values = [trial.values[0] for trial in done]
    norm = Normalize(min(values), max(values) if max(values) > min(values) else min(values) + 1)
    figure = new_figure(max(4.0, 1.1 * len(spec.search) + 1.8), 3.0)
    axes = figure.add_subplot()
    columns = [positions(search, [trial.params[name] for trial in done]) for name, search in spec.search.items()]
    for column, (_, ticks) in enumerate(columns):
        axes.axvline(column, color="0.3", linewidth=0.8)
        for height, text in ticks:
            axes.annotate(
                text,
                (column, height),
                (3, 0),
                textcoords="offset points",
                fontsize=6.5,
                va="center",
                zorder=5,
                bbox=PAPER,
            )
    for index, trial in enumerate(done):
        heights = [places[index] for places, _ in columns] + [norm(trial.values[0])]
        axes.plot(range(len(heights)), heights, color=colormaps[MAP](norm(trial.values[0])), linewidth=1.1, alpha=0.85)
    axes.axvline(len(columns), color="0.3", linewidth=0.8)
    axes.set_xticks(range(len(columns) + 1), [*map(_wrapped, spec.search), "objective"], fontsize=SMALL)
    axes.set_yticks([])
    axes.set_xlim(-0.2, len(columns) + 0.2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(ScalarMappable(norm, MAP), ax=axes, pad=0.02)
    bar.ax.tick_params(labelsize=SMALL)
    bar.set_label(objective_title(spec.objectives[0]), fontsize=SMALL)
    save(figure, path)
    return f"One line for each complete trial ({len(done)}), coloured by {objective_title(spec.objectives[0])}."


def _wrapped(path: str) -> str:
    return short_name(path).replace(" ", "\n")
