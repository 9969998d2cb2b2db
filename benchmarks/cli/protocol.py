"""`pctrans-bench protocol`: a table's stored predictions under every protocol that published figures come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Out


def protocol(
    table: Annotated[str, typer.Argument(help="Name of a table that was run into OUT.")],
    out: Out = Path("results"),
    json: Annotated[Path | None, typer.Option("--json", help="Write means, differences and ranking here.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every figure of every image here, not only into OUT/reports.")
    ] = None,
) -> None:
    """Score stored predictions under each protocol variant: how much of a difference between rows is protocol?

    Nothing is predicted again and no result is changed. Exit status 1 if a finished job's predictions are gone,
    damaged, or no longer give the figures of its result.
    """
    from rich.console import Console

    from reports.collect import collect
    from reports.protocol import render_protocol, rescore_table, write_protocol

    console = Console(highlight=False)
    results = collect(out, table)
    with console.status("scoring predictions again") as status:
        rescored = rescore_table(
            results, out, lambda done, jobs: status.update(f"scoring predictions again: {done} of {jobs} jobs")
        )
    paths = write_protocol(rescored, out, csv=csv, json=json)
    console.print(render_protocol(rescored), crop=False)
    for title, path in (("Markdown", paths.markdown), ("CSV", csv or paths.csv), ("JSON", json)):
        if path:
            console.print(f"{title:>9}  {path}", markup=False, soft_wrap=True)
    if rescored.problems:
        raise typer.Exit(1)
