"""`pctrans-bench report`: write a table's reports again, from results that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Out


def report(
    table: Annotated[str, typer.Argument(help="Name of a table that was run into OUT.")],
    out: Out = Path("results"),
) -> None:
    """Write LaTeX, Markdown, CSV and pictures of a table from its results; computes nothing."""
    from rich.console import Console

    from benchmarks.cli.run import report_table

    report_table(Console(), out, table)
