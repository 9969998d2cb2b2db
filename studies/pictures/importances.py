"""The importance of settings: shares of the variance over a grid, else PED-ANOVA (Watanabe et al., IJCAI 2023)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.errors import UserError
from studies.pictures.style import SMALL, TRIAL, completed, new_figure, save, tidy
from studies.records import TrialRecord, read_trials
from studies.specification import StudySpec, maximised, objective_title, short_name

if TYPE_CHECKING:
    import optuna

FEWEST = 8
"""With fewer complete trials than this, importances are noise."""


def importances(study: optuna.Study, spec: StudySpec) -> dict[str, float]:
    """Weigh how much each setting decides, in falling order: `main_effects` of a grid, else `being_among_the_best`.

    Raises:
        UserError: there is nothing to weigh.
    """
    done = completed(read_trials(study))
    if len(spec.search) < 2:
        raise UserError("No importances: only one setting was searched.")
    found = main_effects(spec, done) if spec.sampler == "grid" else being_among_the_best(study, spec, done)
    return dict(sorted(found.items(), key=lambda pair: pair[1], reverse=True))


def main_effects(spec: StudySpec, done: Sequence[TrialRecord]) -> dict[str, float]:
    """Compute the share of the variance over a whole grid that each setting explains by itself.

    These are the main effects of a full factorial design, the other settings averaged out. What is missing from 1 is
    their interplay, and noise.

    Raises:
        UserError: a point of the grid has no figure, or all have the same.
    """
    choices = [search.values or [] for search in spec.search.values()]
    values = np.full([len(values) for values in choices], np.nan)
    for trial in done:
        place = [values.index(trial.params[path]) for path, values in zip(spec.search, choices, strict=True)]
        values[tuple(place)] = trial.values[0]
    if np.isnan(values).any():
        missing = int(np.isnan(values).sum())
        raise UserError(f"No importances: of the {values.size} points of the grid, {missing} without a figure.")
    if np.ptp(values) == 0:  # the variance of equal numbers need not be 0
        raise UserError("No importances: all trials reached the same.")
    axes = range(values.ndim)
    means = [values.mean(axis=tuple(other for other in axes if other != axis)) for axis in axes]
    return {path: float(mean.var() / values.var()) for path, mean in zip(spec.search, means, strict=True)}


def being_among_the_best(study: optuna.Study, spec: StudySpec, done: Sequence[TrialRecord]) -> dict[str, float]:
    """Compute the share of each setting in whether a trial is among the best tenth (PED-ANOVA).

    The evaluator takes low targets for good ones, so a figure that should be high is given with its sign changed.

    Raises:
        UserError: there are too few trials, or all have the same figure.
    """
    import optuna

    if len(done) < FEWEST:
        raise UserError(f"No importances: {len(done)} complete trials, and fewer than {FEWEST} tell nothing.")
    if len({trial.values[0] for trial in done}) < 2:
        raise UserError("No importances: all trials reached the same.")
    sign = -1.0 if maximised(spec.objectives[0]) else 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it warns of what the sign takes care of
        return optuna.importance.get_param_importances(
            study,
            evaluator=optuna.importance.PedAnovaImportanceEvaluator(),
            target=lambda trial: sign * trial.values[0],
        )


def draw_importances(study: optuna.Study, spec: StudySpec, _: Sequence[TrialRecord], path: Path) -> str:
    """Draw a bar for each setting; return the caption.

    Raises:
        UserError: as `importances` raises it.
    """
    found = importances(study, spec)
    figure = new_figure(5.0, 0.8 + 0.28 * len(found))
    axes = figure.add_subplot()
    names = list(reversed(found))
    bars = axes.barh([short_name(name) for name in names], [found[name] for name in names], color=TRIAL, height=0.6)
    axes.bar_label(bars, fmt="%.2f", fontsize=SMALL, padding=2)
    axes.set_xlim(0, 1.1 * max(found.values()) or 1)
    axes.set_xlabel("share of the variance" if spec.sampler == "grid" else "importance", fontsize=SMALL)
    tidy(axes)
    save(figure, path)
    if spec.sampler == "grid":
        return (
            f"Share of the variance of {objective_title(spec.objectives[0])} over the grid that each setting explains "
            f"by itself; the other {max(0.0, 1 - sum(found.values())):.2f} are their interplay and noise."
        )
    return (
        f"How much each setting decides whether a trial is among the best tenth by "
        f"{objective_title(spec.objectives[0])} (PED-ANOVA; shares of 1)."
    )
