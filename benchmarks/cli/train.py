"""`pctrans-bench train`: one model on one data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.options import (
    ConfigFile,
    Device,
    Out,
    ProtocolOption,
    Scale,
    Set,
    TrackingUri,
    one_job,
)

if TYPE_CHECKING:
    from rich.console import Console


def train(
    method: Annotated[str, typer.Argument(help="Name of a method; `list methods` shows them.")],
    data: Annotated[str, typer.Option("--data", help="As in `run`, such as folder:PATH.")],
    out: Out,
    scale: Scale = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    set_: Set = None,
    config: ConfigFile = None,
    protocol: ProtocolOption = None,
    device: Device = "auto",
    tracking_uri: TrackingUri = None,
) -> None:
    """Train and test one model. It ends up in OUT/model, for `predict`. The same command continues."""
    from rich.console import Console

    from benchmarks.cli.progress import JobDisplay
    from benchmarks.data import open_dataset
    from benchmarks.environment import choose_device
    from benchmarks.expansion import PlannedJob
    from benchmarks.running import run_jobs
    from benchmarks.tracking import Tracker

    console = Console()
    device = choose_device(device)
    dataset = open_dataset(data)
    with console.status("checking the data"):
        dataset.validate()
    job = one_job(
        method, dataset, scale=scale, protocol=protocol, seed=seed, config=config, assignments=set_, device=device
    )
    tracker = Tracker(out, tracking_uri)
    planned = [PlannedJob(1, method, job)]
    with JobDisplay(console, planned, out, saved=tracker.sync) as display:
        outcome = run_jobs(planned, dataset, out, device, watch=display.watch, ended=display.ended)[0]
    if outcome.status == "failed":
        raise typer.Exit(1)
    folder = job.folder(out)
    tracker.sync(folder)
    _link(out / "model", folder / "model")
    _show(console, folder, out / "model")


def _link(link: Path, target: Path) -> None:
    """Point OUT/model at the model trained last."""
    temporary = link.with_name(".model.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.relative_to(link.parent))
    temporary.replace(link)


def _show(console: Console, folder: Path, model: Path) -> None:
    import json

    result = json.loads((folder / "result.json").read_text())
    data = result["dataset"]
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in result["metrics"].items())
    console.print(f"{data['name']}, {data['split']} split, {data['images']} images: {metrics}", highlight=False)
    console.print(f"model   {model}\nresult  {folder / 'result.json'}", markup=False, highlight=False)
