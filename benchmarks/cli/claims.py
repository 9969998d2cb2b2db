"""`pctrans-bench claims`: what measured rows say of the paper's claims."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import Out


def claims(
    out: Out = Path("results"),
    json_: Annotated[bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")] = False,
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Exit with 1 if a claim lacks results.")
    ] = False,
) -> None:
    """Say of each claim of the paper whether the results in OUT support or contradict it; computes no job."""
    import json

    from rich.console import Console

    from reports.claims import evaluate_claims, to_json, write_claims
    from reports.claims.console import render_claims

    report = evaluate_claims(out)
    paths = write_claims(report)
    if json_:
        print(json.dumps(to_json(report), indent=2, allow_nan=False))
    else:
        console = Console()
        console.print(render_claims(report))
        for title, path in zip(("Markdown", "JSON"), paths, strict=True):
            console.print(f"{title:>9}  {path}", markup=False, highlight=False, soft_wrap=True)
    if require_complete and not report.complete:
        raise typer.Exit(1)
