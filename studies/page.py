"""A study as one page that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from PIL import Image

from benchmarks.files import write_atomic
from reports.pictures import Picture
from studies.pictures.style import DPI
from studies.plans import AnyPlan
from studies.records import TrialRecord, best_trial
from studies.sections import Section
from studies.specification import objective_title, short_name, shown_value
from studies.trial import printed

CSS_DPI = 96
NO_TEST = (
    "these data have no other split with truth, so tables show the best settings on the images that chose them, which "
    "flatters them"
)


def write_page(
    plan: AnyPlan,
    trials: Sequence[TrialRecord],
    pictures: Mapping[str, Picture],
    sections: Sequence[Section],
    commands: Sequence[str],
    folder: Path,
) -> Path:
    """Write FOLDER/report.html, with the pictures inside.

    Args:
        sections: shown above the pictures.
        commands: what a reader may want to run next.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    best = folder / "best.yaml"
    chosen = best_trial(plan.spec, trials)
    page = environment.get_template("page.html").render(
        title=f"Study {plan.spec.name}: {plan.spec.title}",
        facts=facts(plan, trials),
        best=best.read_text(encoding="utf-8") if chosen else None,
        sections=sections,
        pictures=[_embedded(picture) for picture in pictures.values()],
        headings=headings(plan),
        rows=[
            {"style": "best" if chosen and trial.number == chosen.number else trial.state, "cells": cells(plan, trial)}
            for trial in trials
        ],
        failures=[f"Trial {trial.number}: {trial.error}" for trial in trials if trial.state == "failed"],
        commands="\n".join(commands),
    )
    path = folder / "report.html"
    write_atomic(path, page)
    return path


def facts(plan: AnyPlan, trials: Sequence[TrialRecord]) -> list[str]:
    """What a reader has to know of how the figures were made."""
    spec, data = plan.spec, plan.dataset
    counts = {state: sum(trial.state == state for trial in trials) for state in ("complete", "pruned", "failed")}
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    how = "every combination once" if spec.sampler == "grid" else f"TPE, sampler's seed {spec.seed}"
    first, *others = map(objective_title, spec.objectives)
    beside = f", beside {others[0]}" if others else ""
    test = "the test split has no part in it" if data.has_test_split else NO_TEST
    lines = [
        f"{len(trials)} trials ({states or 'none has ended'}): {how}.",
        f"Chosen by {first}{beside}, on all {len(data.ids('val'))} images of the validation split of "
        f"{plan.settings.data}; {test}.",
        *plan.notes,
    ]
    if cached := sum(trial.cached for trial in trials):
        lines.append(
            f"{cached} trials had their results before: as jobs of a table or another study, or of an equal trial."
        )
    return lines


def headings(plan: AnyPlan) -> list[str]:
    """Headings of the table of trials."""
    return [
        "trial",
        *map(short_name, plan.spec.search),
        *map(objective_title, plan.spec.objectives),
        "state",
        "s",
        *plan.cost_headings,
    ]


def cells(plan: AnyPlan, trial: TrialRecord) -> list[str]:
    """A line of the table of trials."""
    params = [printed(trial.params[path]) if path in trial.params else "" for path in plan.spec.search]
    values = list(map(shown_value, plan.spec.objectives, trial.values))
    values += [""] * (len(plan.spec.objectives) - len(values))
    seconds = f"{trial.seconds:.0f}" if trial.seconds is not None else ""
    state = f"{trial.state} (done before)" if trial.cached else trial.state
    return [str(trial.number), *params, *values, state, seconds, *plan.cost_cells(trial.costs)]


def _embedded(picture: Picture) -> dict[str, object]:
    if picture.path is None:
        return {"data": None, "caption": picture.caption}
    with Image.open(picture.path) as image:
        width = image.width * CSS_DPI // DPI
    data = "data:image/png;base64," + base64.b64encode(picture.path.read_bytes()).decode()
    return {"data": data, "caption": picture.caption, "width": width}
