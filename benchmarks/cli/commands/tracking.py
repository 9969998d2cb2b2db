"""`pctrans-bench ui` and `track`: browsing results in MLflow, and sending what could not be sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.options import FilledByAny, TrackingUri


def ui(
    out: FilledByAny = Path("results"),
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where the pages are on 127.0.0.1.")] = 5000,
    tracking_uri: TrackingUri = None,
) -> None:
    """Open the results in MLflow's pages on 127.0.0.1."""
    from benchmarks.tracking import serve_ui

    raise typer.Exit(serve_ui(out, port=port, tracking_uri=tracking_uri))


def track(out: FilledByAny = Path("results"), tracking_uri: TrackingUri = None) -> None:
    """Send every job in OUT that MLflow does not have yet; exit status 1 if some could not be sent."""
    from benchmarks.tracking import send_all

    report = send_all(out, tracking_uri)
    print(report)
    if report.failed:
        raise typer.Exit(1)
