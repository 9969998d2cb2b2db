"""`pctrans-bench verify`: whether what is kept of jobs is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(folder: Annotated[Path, typer.Argument(help="Folder of results: the --out of other commands.")]) -> None:
    """Compare results, scores, models and label maps with their checksums and with each other; exit status 1 if not.

    Nothing is changed. Results of versions without checksums are "not checkable", which is no failure.
    """
    from collections import Counter

    from benchmarks.machine.terminal import text_console
    from benchmarks.run.verification import Verdict, verify_folder

    console = text_console()

    def say(verdict: Verdict) -> None:
        style = {"damaged": "red", "sound": "green"}.get(verdict.state, "yellow")
        lines = [f"{verdict.name}  {verdict.state}  {verdict.what}", *(f"    {one}" for one in verdict.problems)]
        lines += [f"    not there: {', '.join(verdict.missing)}"] if verdict.missing else []
        console.print("\n".join(lines), style=style, highlight=False, soft_wrap=True)

    counts = Counter(verdict.state for verdict in verify_folder(folder, say))
    console.print(", ".join(f"{count} {state}" for state, count in counts.most_common()) + ".", highlight=False)
    if counts["damaged"]:
        console.print(
            "Delete the damaged file and the result.json of its job, and give the command again that made it: what is "
            "left of the job is kept. A damaged result.json it replaces by itself.",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1)
