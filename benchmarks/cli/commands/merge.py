"""`pctrans-bench merge`: results folders of several machines become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Out


def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Results folders: --out of other commands.")
    ],
    out: Out,
) -> None:
    """Bring jobs and tables of several results folders together in OUT; the folders stay as they are.

    Refused, before anything is written, are results that contradict each other or are damaged. The same command may be
    given again, and adds what has come since. `report --out OUT` then writes the reports.
    """
    from benchmarks.machine.terminal import text_console
    from benchmarks.merging import merge_folders

    console = text_console(highlight=False)
    with console.status("comparing results") as status:
        merged = merge_folders(folders, out, lambda key: status.update(f"copied {key}"))
    tables = f"; tables: {', '.join(merged.tables)}" if merged.tables else ""
    console.print(f"{len(merged.written)} jobs copied, {merged.kept} there before{tables}.", soft_wrap=True)
    if merged.unfinished:
        console.print(
            f"{len(merged.unfinished)} jobs are not finished and stay where they are: {', '.join(merged.unfinished)}.",
            soft_wrap=True,
        )
    console.print(
        f"Next: pctrans-bench report --out {out}. Pages, figures, MLflow's runs and studies' journals are not merged.",
        soft_wrap=True,
    )
