"""`pctrans-bench report`: write reports again, from results that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Out


def report(
    table: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Name of a table that was run into OUT; without it, everything in OUT."),
    ] = None,
    out: Out = Path("results"),
) -> None:
    """Write LaTeX, Markdown, CSV and pictures of a table, or of all, with claims and an HTML page; computes nothing."""
    from rich.console import Console

    from benchmarks.cli.reporting import report_folder, report_table

    if table is None:
        report_folder(Console(), out)
    else:
        report_table(Console(), out, table)
