"""`pctrans-bench report`, `claims`, `protocol`, `errors`, `rescore`: what finished jobs say; none computes a job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.layout_choice import LayoutChoice
from benchmarks.cli.option_groups import grouped
from benchmarks.cli.options import Filled, FilledByAny, FilledOrSeveral


@grouped
def report(
    *,
    table: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Name of a table that was run into OUT; without it, everything in OUT."),
    ] = None,
    layout: LayoutChoice,
    out: FilledOrSeveral = Path("results"),
) -> None:
    """Write LaTeX, Markdown, CSV and pictures of a table, or of all, with claims and an HTML page; computes nothing."""
    from benchmarks.cli.report_writer import report_folder, report_table
    from benchmarks.cli.several_data import report_each
    from benchmarks.machine.terminal import text_console
    from benchmarks.store.several_data import data_folders

    if folders := data_folders(out):
        report_each(text_console(), folders, out, table, layout.read())
    elif table is None:
        report_folder(text_console(), out, layout=layout.read())
    else:
        report_table(text_console(), out, table, layout.read())


def claims(out: Filled = Path("results")) -> None:
    """Say of each claim of the paper whether the results in OUT support or contradict it; computes no job."""
    from benchmarks.machine.terminal import text_console
    from reports.claims import evaluate_claims, write_claims
    from reports.claims.console import render_claims

    report = evaluate_claims(out)
    console = text_console()
    console.print(render_claims(report))
    for title, path in zip(("Markdown", "JSON"), write_claims(report), strict=True):
        console.print(f"{title:>9}  {path}", markup=False, highlight=False, soft_wrap=True)


def protocol(
    table: Annotated[str, typer.Argument(help="Name of a table that was run into OUT.")],
    out: Filled = Path("results"),
    json: Annotated[Path | None, typer.Option("--json", help="Write means, differences and ranking here.")] = None,
) -> None:
    """Score stored predictions under each protocol variant: how much of a difference between rows is protocol?

    Nothing is predicted again and no result is changed. Exit status 1 if a finished job's predictions are gone,
    damaged, or no longer give the figures of its result.
    """
    from benchmarks.machine.terminal import text_console
    from reports.collect import collect
    from reports.protocol import render_protocol, rescore_table, write_protocol

    console = text_console(highlight=False)
    results = collect(out, table)
    with console.status("scoring predictions again") as status:
        rescored = rescore_table(
            results, out, lambda done, jobs: status.update(f"scoring predictions again: {done} of {jobs} jobs")
        )
    paths = write_protocol(rescored, out, json=json)
    console.print(render_protocol(rescored), crop=False)
    for title, path in (("Markdown", paths.markdown), ("CSV", paths.csv), ("JSON", json)):
        if path:
            console.print(f"{title:>9}  {path}", markup=False, soft_wrap=True)
    if rescored.problems:
        raise typer.Exit(1)


def errors(
    table: Annotated[str, typer.Argument(help="Name of a table that was run into OUT.")],
    out: Filled = Path("results"),
) -> None:
    """Say what each kind of error costs every row: missed, spurious, merged, split, localisation, boundary.

    From stored label maps; counts are kept beside each result, so that the reports can be repeated where label maps
    are not. Exit status 1 if a finished job has neither.
    """
    from benchmarks.machine.terminal import text_console
    from reports.anatomy import dissect_table, render_anatomy, write_anatomy
    from reports.collect import collect

    console = text_console(highlight=False)
    results = collect(out, table)
    with console.status("dissecting errors") as status:
        dissected = dissect_table(
            results, out, lambda done, jobs: status.update(f"dissecting errors: {done} of {jobs} jobs")
        )
        paths = write_anatomy(dissected, out)
    console.print(render_anatomy(dissected), crop=False)
    for title, path in paths.shown.items():
        console.print(f"{title:>9}  {path}", markup=False, soft_wrap=True)
    if dissected.problems:
        raise typer.Exit(1)


def rescore(out: FilledByAny = Path("results")) -> None:
    """Give finished jobs the metrics that were added since, from stored predictions; exit status 1 if some fail."""
    from collections import Counter

    from benchmarks.machine.terminal import text_console
    from benchmarks.run.rescoring import Rescored, rescore_jobs

    console = text_console()

    def say(one: Rescored) -> None:
        if one.status == "added":
            console.print(f"{one.key}: {', '.join(one.added)}", highlight=False)
        elif one.status == "failed":
            console.print(f"{one.key}: {one.problem}", style="red", markup=False, highlight=False, soft_wrap=True)

    counts = Counter(one.status for one in rescore_jobs(out, say))
    console.print(
        f"{counts['added']} jobs have new metrics, {counts['complete']} had all, {counts['failed']} failed. "
        f"`pctrans-bench report --out {out}` shows them in tables that name them.",
        highlight=False,
        soft_wrap=True,
    )
    if counts["failed"]:
        raise typer.Exit(1)
