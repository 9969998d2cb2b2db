"""Compute the data of a figure from finished jobs."""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

from benchmarks.data import open_dataset
from benchmarks.errors import UserError
from benchmarks.figures.facts import FigureFacts, RowFacts
from benchmarks.figures.sources import Source, find_sources
from benchmarks.figures.specification import FigureSpec
from benchmarks.figures.store import FigureData, figure_folder, read_facts, write_data
from benchmarks.files import exclusive
from benchmarks.links import refuse_outside
from benchmarks.plan.expansion import Plan

FORMAT = 2
"""To be raised when a change of the code changes the data of an unchanged figure."""


def compute_figure(spec: FigureSpec, plan: Plan, out: Path, device: str) -> Path:
    """Look into the models of the figure's finished jobs and store what they show; return the folder.

    Nothing is computed if what is stored has the same specification, data and results. Jobs that are missing or failed
    leave a gap with a reason.

    Raises:
        UserError: none of the jobs has a result, none can be shown, or the folder lies elsewhere by a link.
    """
    folder = figure_folder(out, spec.name)
    refuse_outside(folder, out)
    with exclusive(folder / "lock"):
        sources = find_sources(spec, plan, out)
        stamp = _stamp(spec, plan, sources)
        if not _is_there(folder, stamp):
            write_data(folder, _compute(spec, plan, sources, stamp, device))
    return folder


def is_computed(spec: FigureSpec, plan: Plan, out: Path) -> bool:
    """Tell whether what is stored of a figure is of its specification, data and results, and of this code."""
    return _is_there(figure_folder(out, spec.name), _stamp(spec, plan, find_sources(spec, plan, out)))


def _is_there(folder: Path, stamp: str) -> bool:
    before = read_facts(folder)
    return before is not None and before.stamp == stamp and (folder / before.arrays).is_file()


def _compute(spec: FigureSpec, plan: Plan, sources: list[Source], stamp: str, device: str) -> FigureData:
    _refuse_nothing(spec, [source.facts for source in sources])
    from benchmarks.figures.looking import Request

    jobs = [planned.job for planned in plan.chosen]
    request = Request(
        spec=spec,
        sources=sources,
        dataset=open_dataset(plan.data.spec, decoding=plan.data.decoding),
        split=jobs[0].split,
        tile=next((job.tile for job in jobs if job.trained), jobs[0].tile),
        device=device,
    )
    # Only one kind of figure needs all of torch, and none is needed to list figures.
    module: Any = importlib.import_module(f"benchmarks.figures.{spec.kind}")
    shown, rows, arrays = module.compute(request)
    _refuse_nothing(spec, rows)
    facts = FigureFacts(
        figure=spec.name,
        stamp=stamp,
        scale=plan.scale,
        data=plan.data.spec,
        overrides=plan.overrides,
        arrays=f"arrays-{stamp}.npz",
        rows=rows,
        shown=shown,
    )
    return FigureData(facts, arrays)


def _refuse_nothing(spec: FigureSpec, rows: list[RowFacts]) -> None:
    if all(row.reason for row in rows):
        reasons = "".join(f"\n  {row.label}: {row.reason}" for row in rows)
        raise UserError(f"{spec.name} has nothing to show:{reasons}")


def _stamp(spec: FigureSpec, plan: Plan, sources: list[Source]) -> str:
    content = [FORMAT, spec.model_dump(), plan.data.fingerprint, [source.facts.model_dump() for source in sources]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
