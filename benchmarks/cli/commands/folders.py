"""`pctrans-bench merge` and `verify`: folders of results that were passed on."""

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


def verify(folder: Annotated[Path, typer.Argument(help="Folder of results: the --out of other commands.")]) -> None:
    """Compare results, scores, models and label maps with their checksums and with each other; exit status 1 if not.

    Nothing is changed. Results of versions without checksums are "not checkable", which is no failure.
    """
    from collections import Counter

    from benchmarks.machine.terminal import text_console
    from benchmarks.run.verification import Verdict, verify_folder
    from benchmarks.store.several_data import data_folders

    console = text_console()

    def say(verdict: Verdict) -> None:
        style = {"damaged": "red", "sound": "green"}.get(verdict.state, "yellow")
        lines = [f"{verdict.name}  {verdict.state}  {verdict.what}", *(f"    {one}" for one in verdict.problems)]
        lines += [f"    not there: {', '.join(verdict.missing)}"] if verdict.missing else []
        console.print("\n".join(lines), style=style, highlight=False, soft_wrap=True)

    counts: Counter[str] = Counter()
    for one in data_folders(folder) or [folder]:
        if one != folder:
            console.print(str(one), style="bold", markup=False, highlight=False, soft_wrap=True)
        counts.update(verdict.state for verdict in verify_folder(one, say))
    console.print(", ".join(f"{count} {state}" for state, count in counts.most_common()) + ".", highlight=False)
    if counts["damaged"]:
        console.print(
            "Delete the damaged file and the result.json of its job, and give the command again that made it: what is "
            "left of the job is kept. A damaged result.json it replaces by itself.",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1)
