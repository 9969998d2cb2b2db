"""`pctrans-bench compare`: the same rows on several data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.links import refuse_linked_folders


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Results folders of the same tables on different data.")
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
    from benchmarks.machine.terminal import text_console
    from reports.across import collect_sets, rank_grid, sentences, shared_tables, write_across

    console = text_console(highlight=False)
    for name in [table] if table else shared_tables(folders):
        across = collect_sets(folders, name, metric)
        with console.status(f"comparing the rows of {name}"):
            paths = write_across(across, out)
        console.print(f"{name}: {across.spec.title}", style="bold", soft_wrap=True)
        headings, lines = rank_grid(across, paths.rankings)
        for line in (headings, *lines):
            console.print("  ".join(line), soft_wrap=True)
        for sentence in sentences(across, dict(list(paths.rankings.items())[: len(across.sets)])):
            console.print(sentence, soft_wrap=True)
        for title, path in (("Markdown", paths.markdown), ("CSV", paths.csv), ("picture", paths.picture)):
            console.print(f"{title:>9}  {path}", soft_wrap=True)
