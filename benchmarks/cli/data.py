"""`pctrans-bench data`: looking at data before training on it."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look at data before training on it.")


@app.callback()
def group() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@app.command()
def check(
    spec: Annotated[str, typer.Argument(help="folder:PATH, bbbc039:PATH, synthetic-nuclei, …")],
) -> None:
    """Read everything and report counts, sizes, instances and problems; exit status 1 if there are any."""
    from benchmarks.data import check_dataset, open_dataset

    report = check_dataset(open_dataset(spec))
    print(report.render())
    if report.problems:
        raise typer.Exit(1)
