"""`pctrans-bench list`: what there is to run, and what was run."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.options import FilledByAnyOrSeveral

if TYPE_CHECKING:
    from benchmarks.plan.methods import Method
    from benchmarks.store.job_folder import JobFolder


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
    out: FilledByAnyOrSeveral = Path("results"),
) -> None:
    """List tables, figures, studies, methods, scales, kinds of datasets, or the jobs in OUT."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

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
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        # Nothing is cut: what has no room goes on below.
        whole = heading in ("job", "seed", "state", "PQ")
        table.add_column(heading, overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*map(Text, row))
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
            *(_parameters(name, scale) for scale in SCALES),
            "; ".join(filter(None, _described(method))),
        )
        for name, method in all_methods().items()
    ]
    return ("method", *SCALES, "what; parameters by scale"), rows


def _described(method: Method) -> tuple[str | None, ...]:
    """Say what a method is, and what has to be installed before it can be run."""
    lacking = f"NOT INSTALLED: {method.lacking.advice}" if method.lacking else None
    return method.title, method.source, method.uses, method.provider, lacking


def _parameters(name: str, scale: str) -> str:
    """Give the millions of parameters of a method at a scale (protocol nuclei)."""
    from benchmarks.plan.methods import get_method
    from benchmarks.plan.parameters import known_parameters

    if not get_method(name).trained:
        return "none"
    if not get_method(name).offered_at(scale):
        return "—"
    if known := known_parameters().get(name):
        return f"{known[scale] / 1e6:.2f} M"
    if get_method(name).lacking:
        return "?"
    from benchmarks.plan.resolving import model_at
    from benchmarks.run.cost import parameters_at

    return f"{parameters_at(name, model_at(name, scale, 'nuclei')) / 1e6:.2f} M"


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
    from benchmarks.store.several_data import data_folders

    headings = ("job", "row", "data", "scale", "seed", "state", "PQ")
    return headings, [row for folder in data_folders(out) or [out] for row in _runs_in(folder)]


def _runs_in(out: Path) -> list[tuple[str, ...]]:
    from benchmarks.store.job_folder import all_job_folders
    from benchmarks.store.run_file import rows_of_jobs

    rows_by_key = rows_of_jobs(out)
    place = {key: number for number, key in enumerate(rows_by_key)}  # in the order of tables; jobs of none come last
    folders = sorted(all_job_folders(out), key=lambda folder: place.get(folder.key, len(place)))
    return [_run(folder, rows_by_key.get(folder.key, [])) for folder in folders]


def _run(folder: JobFolder, table_rows: list[str]) -> tuple[str, ...]:
    """Describe a job by its result, else by its configuration; both may be of another version, or damaged."""
    from benchmarks.errors import UserError
    from benchmarks.store.documents import UnreadableError

    label, described, pq = "?", ("?",) * 3, None
    state: str = folder.state
    with suppress(UserError):
        job = folder.read_job()
        label, described = job.method, (job.data.name, job.scale, str(job.seed))
    try:
        result = folder.read_result()
    except UnreadableError:
        result, state = None, "damaged"
    if result:
        scale, seed, method = (str(result.job.get(name, "?")) for name in ("scale", "seed", "method"))
        label, pq = result.label or method, result.metrics.get("pq")
        described = (result.dataset.name or result.dataset.spec, scale, seed)
    return (folder.key, "; ".join(table_rows) or label, *described, state, "" if pq is None else f"{pq:.4f}")
