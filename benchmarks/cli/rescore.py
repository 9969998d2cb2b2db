"""`pctrans-bench rescore`: metrics that were defined after jobs had finished."""

from __future__ import annotations

from pathlib import Path

import typer

from benchmarks.cli.options import Out


def rescore(out: Out = Path("results")) -> None:
    """Give finished jobs the metrics that were added since, from their stored predictions; exit status 1 if some fail."""
    from collections import Counter

    from rich.console import Console

    from benchmarks.run.rescoring import Rescored, rescore_jobs

    console = Console()

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
