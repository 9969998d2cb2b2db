"""What a study leaves for people: the best settings, its trials as a file, pictures and a page."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmarks.errors import UserError
from benchmarks.files import spreadsheet_cell, write_atomic
from reports.pictures import Picture
from reports.published import published_figures
from studies.plans import AnyPlan
from studies.records import TrialRecord, best_trial, read_trials
from studies.specification import COSTS, objective_title

if TYPE_CHECKING:
    import optuna

    from studies.pictures.surface import Published


@dataclass(frozen=True)
class StudyFiles:
    """Where the results of a study are.

    Attributes:
        best: settings of the best trial, for `--config`; None where no trial is complete.
        pictures: by what they show.
    """

    best: Path | None
    trials: Path
    pictures: dict[str, Picture]

    @property
    def files(self) -> list[Path]:
        drawn = [picture.path for picture in self.pictures.values() if picture.path]
        return [*filter(None, (self.best, self.trials)), *drawn]


def write_results(study: optuna.Study, plan: AnyPlan, folder: Path) -> StudyFiles:
    """Write best.yaml, trials.csv and the pictures into the study's folder."""
    trials = read_trials(study)
    path = folder / "trials.csv"
    write_trials(plan, trials, path)
    best = best_trial(plan.spec, trials)
    if best:
        write_atomic(folder / "best.yaml", best_settings(plan, trials, best))
    else:
        (folder / "best.yaml").unlink(missing_ok=True)  # of an earlier state of the study
    return StudyFiles(folder / "best.yaml" if best else None, path, draw_pictures(study, plan, trials, folder))


def best_settings(plan: AnyPlan, trials: Sequence[TrialRecord], best: TrialRecord) -> str:
    """YAML that makes a job at the study's scale the best trial's."""
    title = objective_title(plan.spec.objectives[0])
    head = (
        f"# Best of {sum(trial.ended for trial in trials)} trials of the study {plan.spec.name}: {title} "
        f"{best.values[0]:.4f} (trial {best.number}).\n# Found on {plan.settings.data} at scale {plan.scale}; it is "
        f"meant for that scale, in `train` and in tables:\n# {train_command(plan, Path('best.yaml'))}\n"
    )
    return head + yaml.safe_dump(plan.config_of(best.params), sort_keys=False)


def train_command(plan: AnyPlan, best: Path) -> str:
    """The command that trains with the best settings."""
    protocol = f"--protocol {plan.settings.protocol} " if plan.settings.protocol else ""
    return (
        f"pctrans-bench train {plan.spec.method} --data {shlex.quote(plan.settings.data)} --scale {plan.scale} "
        f"{protocol}--config {shlex.quote(str(best))} --out model"
    )


def write_trials(plan: AnyPlan, trials: Sequence[TrialRecord], path: Path) -> None:
    """A line a trial: settings, objectives, state, costs."""
    text = io.StringIO()
    objectives = [f"val_{name}" if name not in COSTS else name for name in plan.spec.objectives]
    costs = [name for name in COSTS if name not in objectives] if plan.cost_headings else []
    names = ["trial", "state", *plan.spec.search, *objectives, "seconds", *costs, "key", "error"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for trial in trials:
        line = (
            {"trial": trial.number, "state": trial.state, "seconds": trial.seconds, "key": trial.key}
            | {path: trial.params.get(path) for path in plan.spec.search}
            | {name: trial.costs.get(name) for name in costs}
            | dict(zip(objectives, trial.values, strict=False))
            | {"error": trial.error}
        )
        writer.writerow({name: spreadsheet_cell(cell) for name, cell in line.items()})
    write_atomic(path, text.getvalue())


def draw_pictures(
    study: optuna.Study, plan: AnyPlan, trials: Sequence[TrialRecord], folder: Path
) -> dict[str, Picture]:
    """Draw all pictures that the study has something for, as PNG files in its folder."""
    from studies.pictures.coordinates import draw_coordinates
    from studies.pictures.front import draw_front
    from studies.pictures.history import draw_history
    from studies.pictures.importances import draw_importances
    from studies.pictures.surface import draw_surface

    spec = plan.spec
    draw: dict[str, Callable[[Path], str]] = {
        "history": partial(draw_history, spec, trials),
        "map": partial(draw_surface, spec, trials, most_important(study, plan), published_points(plan)),
        "coordinates": partial(draw_coordinates, spec, trials),
        "importances": partial(draw_importances, study, spec, trials),
    }
    if len(spec.objectives) > 1:
        draw["front"] = partial(draw_front, spec, trials)
    return {name: _picture(folder / f"{name}.png", drawing) for name, drawing in draw.items()}


def most_important(study: optuna.Study, plan: AnyPlan) -> list[str]:
    """All settings, the one that decides most first; in the file's order where nothing tells."""
    from studies.pictures.importances import importances

    try:
        return list(importances(study, plan.spec))
    except UserError:
        return list(plan.spec.search)


def published_points(plan: AnyPlan) -> Published:
    """The paper's PQ at each point of a table's study."""
    table = plan.table.table if plan.table else None
    if table is None or plan.spec.objectives[0] not in table.metrics:
        return {}
    points: Published = {}
    for row, figures in zip(table.rows, published_figures(table), strict=True):
        if plan.spec.objectives[0] in figures:
            point = tuple(row.overrides[path.removeprefix("model.")] for path in plan.spec.search)
            points[point] = float(figures[plan.spec.objectives[0]])
    return points


def _picture(path: Path, draw: Callable[[Path], str]) -> Picture:
    try:
        caption = draw(path)
        return Picture(path, caption[0].upper() + caption[1:])
    except UserError as error:
        path.unlink(missing_ok=True)  # of an earlier state of the study
        return Picture(None, str(error))
