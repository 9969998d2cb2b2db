"""`pctrans-bench run`: a table, from jobs to report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.options import (
    ConfigFile,
    Data,
    Device,
    Out,
    ProtocolOption,
    Scale,
    Set,
    TrackingUri,
    default_scale,
    read_overrides,
)
from benchmarks.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.data import Dataset
    from benchmarks.expansion import Plan


def run(
    table: Annotated[str, typer.Argument(help="Name of a table; `list tables` shows them.")],
    data: Data = "synthetic-nuclei",
    scale: Scale = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Seeds a row: 0, 1, …")] = 1,
    rows: Annotated[str | None, typer.Option("--rows", help="Only these rows, such as 1,8 or 2-4.")] = None,
    set_: Set = None,
    config: ConfigFile = None,
    external: Annotated[
        list[str] | None,
        typer.Option("--external", metavar="NAME=FOLDER", help="Add a row: label maps made elsewhere, by stem."),
    ] = None,
    allow_unequal: Annotated[
        bool, typer.Option("--allow-unequal", help="Let rows differ in data, budget or tiling; reports say so.")
    ] = False,
    protocol: ProtocolOption = None,
    device: Device = "auto",
    out: Out = Path("results"),
    tracking_uri: TrackingUri = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the jobs and the time; run nothing.")] = False,
    collect: Annotated[bool, typer.Option("--collect", help="Only report what is there; run nothing.")] = False,
) -> None:
    """Run a table of the paper: train and test every row, then report. The same command continues."""
    from rich.console import Console

    from benchmarks.data import open_dataset
    from benchmarks.environment import choose_device
    from benchmarks.expansion import expand_table
    from benchmarks.external import External
    from benchmarks.tables import load_table

    console = Console()
    device = choose_device(device)
    spec = load_table(table)
    dataset = open_dataset(data)
    with console.status("checking the data"):
        dataset.validate()
    plan = expand_table(
        spec,
        dataset,
        scale=default_scale(scale),
        seeds=seeds,
        rows=parse_rows(rows),
        overrides=read_overrides(config, set_),
        protocol=protocol,
        device=device,
        external=[External.parse(text) for text in external or ()],
        allow_unequal=allow_unequal,
    )
    if dry_run:
        _show_plan(console, plan, dataset, out, device)
        return
    _refuse_other_runs(plan, out)
    if collect:
        if not (out / "runs" / f"{table}.json").exists():
            plan.save(out)
        report_table(console, out, table)
        return
    plan.save(out)
    if _run(console, plan, dataset, out, device, tracking_uri):
        raise typer.Exit(1)


def parse_rows(text: str | None) -> list[int] | None:
    """Read 1,3-5 as [1, 3, 4, 5].

    Raises:
        UserError: not numbers and ranges.
    """
    if text is None:
        return None
    try:
        numbers = set()
        for part in text.split(","):
            first, dash, last = part.partition("-")
            numbers |= set(_range(int(first), int(last if dash else first)))
    except ValueError as error:
        raise UserError(f"--rows {text}: expected numbers and ranges, such as 1,8 or 2-4.") from error
    return sorted(numbers)


def _range(first: int, last: int) -> range:
    if last < first:
        raise ValueError(f"{first}-{last} is empty")
    return range(first, last + 1)


def report_table(console: Console, out: Path, table: str) -> list[Path]:
    """Write the reports of a table, print it and say where they are; returns the files."""
    from reports.collect import collect
    from reports.console import render_console
    from reports.table import write_table

    results = collect(out, table)
    paths = write_table(results, out)
    console.print(render_console(results))
    files = {"LaTeX": paths.tex, "document": paths.document, "Markdown": paths.markdown, "CSV": paths.csv}
    pictures = {"picture": paths.segmentations, "learning": paths.learning}
    found = {title: picture.path or f"none: {picture.caption}" for title, picture in pictures.items()}
    for title, path in (files | found).items():
        console.print(f"{title:>9}  {path}", markup=False, highlight=False, soft_wrap=True)
    return paths.files


def _run(console: Console, plan: Plan, dataset: Dataset, out: Path, device: str, tracking_uri: str | None) -> int:
    """Run the chosen jobs and report; returns how many failed."""
    from benchmarks.cli.progress import JobDisplay
    from benchmarks.running import run_jobs
    from benchmarks.tracking import Tracker
    from benchmarks.tracking.store import shown

    tracker = Tracker(out, tracking_uri)
    tracker.start_table(plan.table.name, {k: v for k, v in plan.described().items() if k not in ("jobs", "rows")})
    with JobDisplay(console, plan.chosen, out, saved=tracker.sync) as display:
        outcomes = run_jobs(plan.chosen, dataset, out, device, watch=display.watch, ended=display.ended)
    for planned in plan.chosen:
        tracker.sync(planned.job.folder(out))
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    files = report_table(console, out, plan.table.name)
    tracker.finish_table(files, failed=bool(failed))
    console.print(
        f"{'tracking':>9}  {shown(tracker.uri)}  (pctrans-bench ui --out {out})", markup=False, soft_wrap=True
    )
    return failed


def _show_plan(console: Console, plan: Plan, dataset: Dataset, out: Path, device: str) -> None:
    from rich.table import Table

    from benchmarks.estimate import estimate

    table = Table(title=f"{plan.table.name} at scale {plan.scale} on {plan.data.name}", title_justify="left")
    for heading in ("row", "label", "seed", "key", "state"):
        table.add_column(heading)
    for planned in plan.chosen:
        folder = planned.job.folder(out)
        state = "done" if (folder / "result.json").exists() else "to do"
        table.add_row(str(planned.row), planned.label, str(planned.job.seed), planned.job.key, state)
    console.print(table)
    with console.status("timing a few steps"):
        guess = estimate(plan.chosen, dataset, out, device)
    minutes = guess.seconds / 60
    console.print(
        f"{len(plan.chosen)} jobs, {guess.pending} to do, about {minutes:.0f} min on {device} (by {guess.source})."
        if guess.pending
        else f"{len(plan.chosen)} jobs, nothing to do: {guess.source}."
    )


def _refuse_other_runs(plan: Plan, out: Path) -> None:
    """A table's report in `out` must not turn into one of other data, another scale or other settings."""
    path = out / "runs" / f"{plan.table.name}.json"
    if not path.exists():
        return
    try:
        before = json.loads(path.read_text())
        then = before["data"]["fingerprint"], before["scale"], before["overrides"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it, the results under jobs/ stay.") from error
    if then != (plan.data.fingerprint, plan.scale, plan.overrides):
        raise UserError(
            f"{out} holds {plan.table.name} on {before['data']['name']} at scale {then[1]} with the settings "
            f"{then[2] or 'of that scale'}; give {plan.data.name} at scale {plan.scale} with "
            f"{plan.overrides or 'its settings'} another --out folder."
        )
