"""Which setting decides, by PED-ANOVA (Watanabe et al., IJCAI 2023)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import UserError
from studies.pictures.style import SMALL, TRIAL, completed, new_figure, save, tidy
from studies.records import TrialRecord, read_trials
from studies.specs import StudySpec, maximised, objective_title, short_name

if TYPE_CHECKING:
    import optuna

FEWEST = 8
"""Complete trials below which importances are noise."""


def importances(study: optuna.Study, spec: StudySpec) -> dict[str, float]:
    """Share of each setting in being among the best tenth of the trials, in falling order.

    The evaluator takes low targets for good ones, so a figure that is to be high goes in with its sign changed.

    Raises:
        UserError: there is nothing to weigh.
    """
    import optuna

    done = completed(read_trials(study))
    if len(spec.search) < 2:
        raise UserError("No importances: only one setting was searched.")
    if len(done) < FEWEST:
        raise UserError(f"No importances: {len(done)} complete trials, and fewer than {FEWEST} tell nothing.")
    if len({trial.values[0] for trial in done}) < 2:
        raise UserError("No importances: all trials reached the same.")
    sign = -1.0 if maximised(spec.objectives[0]) else 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that says what the sign is for
        return optuna.importance.get_param_importances(
            study,
            evaluator=optuna.importance.PedAnovaImportanceEvaluator(),
            target=lambda trial: sign * trial.values[0],
        )


def draw_importances(study: optuna.Study, spec: StudySpec, _: Sequence[TrialRecord], path: Path) -> str:
    """Draw a bar a setting; returns the caption.

    Raises:
        UserError: as `importances`.
    """
    found = importances(study, spec)
    figure = new_figure(5.0, 0.8 + 0.28 * len(found))
    axes = figure.add_subplot()
    names = list(reversed(found))
    bars = axes.barh([short_name(name) for name in names], [found[name] for name in names], color=TRIAL, height=0.6)
    axes.bar_label(bars, fmt="%.2f", fontsize=SMALL, padding=2)
    axes.set_xlim(0, 1.1 * max(found.values()) or 1)
    axes.set_xlabel("importance", fontsize=SMALL)
    tidy(axes)
    save(figure, path)
    return (
        f"How much each setting decides whether a trial is among the best tenth by "
        f"{objective_title(spec.objectives[0])} (PED-ANOVA; shares of 1)."
    )
