"""`pctrans-bench compare`: the same rows on several data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.links import refuse_linked_folders


def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...",
            help="Results folders of the same tables on different data, or one with a folder for each.",
        ),
    ],
    table: Annotated[
        str | None, typer.Option("--table", help="Only this table. Default: every one that all folders hold.")
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="Metric that rows are ranked by. Default: pq.")] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the reports; made if needed.", callback=refuse_linked_folders)
    ] = Path("comparison"),
) -> None:
    """Rank the rows of tables on several data sets, each alone and all together; computes no job.

    Mean ranks with intervals, critical-difference diagrams, and whether the order is the same on every data set.
    """
    from benchmarks.cli.comparison import compare_table
    from benchmarks.machine.terminal import text_console
    from benchmarks.store.several_data import data_folders
    from reports.across import shared_tables

    folders = [one for folder in folders for one in data_folders(folder) or [folder]]
    console = text_console(highlight=False)
    for name in [table] if table else shared_tables(folders):
        compare_table(console, folders, name, metric, out)
