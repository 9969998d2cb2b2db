"""`pctrans-bench list`: what there is to run, and what was run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Out


class Kind(StrEnum):
    """What can be listed."""

    tables = "tables"
    figures = "figures"
    studies = "studies"
    methods = "methods"
    scales = "scales"
    datasets = "datasets"
    runs = "runs"


def list_things(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    out: Out = Path("results"),
) -> None:
    """List tables, figures, studies, methods, scales, kinds of datasets, or the jobs in OUT."""
    from rich.table import Table

    from benchmarks.machine.terminal import text_console

    headings, rows = {
        Kind.tables: _tables,
        Kind.figures: _figures,
        Kind.studies: _studies,
        Kind.methods: _methods,
        Kind.scales: _scales,
        Kind.datasets: _datasets,
        Kind.runs: lambda: _runs(out),
    }[kind]()
    table = Table(*headings)
    for row in rows:
        table.add_row(*row)
    text_console().print(table)


Listing = tuple[tuple[str, ...], list[tuple[str, ...]]]


def _tables() -> Listing:
    from benchmarks.plan.tables import list_tables, load_table

    specs = [load_table(name) for name in list_tables()]
    run = [str(sum(spec.method_of(row) is not None for row in spec.rows)) for spec in specs]
    headings = ("table", "title", "rows", "run here")
    return headings, [(s.name, s.title, str(len(s.rows)), count) for s, count in zip(specs, run, strict=True)]


def _figures() -> Listing:
    from benchmarks.figures import list_figures, load_figure

    specs = [load_figure(name) for name in list_figures()]
    rows: list[tuple[str, ...]] = [
        (s.name, s.title, s.table, ", ".join(s.rows or ("all that are run",))) for s in specs
    ]
    return ("figure", "title", "of table", "rows"), rows


def _methods() -> Listing:
    from benchmarks.plan.methods import all_methods
    from benchmarks.plan.scales import SCALES

    rows = [
        (
            name,
            method.title,
            *(_parameters(name, scale) for scale in SCALES),
            method.source,
            ", ".join(filter(None, (method.uses, method.provider))),
        )
        for name, method in all_methods().items()
    ]
    return ("method", "title", *(f"parameters, {scale}" for scale in SCALES), "source", "uses"), rows


def _parameters(method: str, scale: str) -> str:
    """Count the millions of parameters of a method at a scale (protocol nuclei)."""
    from benchmarks.plan.methods import get_method
    from benchmarks.plan.resolving import model_at
    from benchmarks.run.cost import parameters_at

    if not get_method(method).trained:
        return "none"
    return f"{parameters_at(method, model_at(method, scale, 'nuclei')) / 1e6:.2f} M"


def _studies() -> Listing:
    from studies.specification import list_studies, load_study

    rows: list[tuple[str, ...]] = []
    for spec in map(load_study, list_studies()):
        sampler = spec.sampler + (f", {spec.pruner.kind}" if spec.pruner else "")
        rows.append((spec.name, spec.title, str(spec.budget), sampler, spec.table or ""))
    return ("study", "title", "trials", "sampler", "table"), rows


def _scales() -> Listing:
    from benchmarks.plan.scales import SCALES, load_scale

    return ("scale", "what"), [(name, load_scale(name).summary) for name in SCALES]


def _datasets() -> Listing:
    from benchmarks.data.opening import KINDS

    return ("dataset", "written as"), [(name, written) for name, (_, written) in KINDS.items()]


def _runs(out: Path) -> Listing:
    from benchmarks.errors import UserError
    from benchmarks.store.documents import UnreadableError
    from benchmarks.store.job_folder import all_job_folders

    rows: list[tuple[str, ...]] = []
    for folder in all_job_folders(out):
        try:
            job = folder.read_job()
            described = job.method, job.data.name, job.scale, str(job.seed)
        except UserError:
            described = ("?",) * 4
        try:
            result = folder.read_result()
            pq = result.metrics.get("pq") if result else None
            state: str = folder.state
        except UnreadableError:
            pq, state = None, "damaged"
        rows.append((folder.key, *described, state, "" if pq is None else f"{pq:.4f}"))
    return ("job", "method", "data", "scale", "seed", "state", "PQ"), rows
