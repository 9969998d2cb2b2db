"""`pctrans-bench train`: one model on one data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.executor_choice import ExecutorChoice
from benchmarks.cli.option_groups import grouped, without
from benchmarks.cli.options import JobOptions, Out, Scale, TrackingUri, one_job

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.store.job_folder import JobFolder


@grouped
def train(
    *,
    method: Annotated[str, typer.Argument(help="Name of a method; `list methods` shows them.")],
    data: Annotated[str, typer.Option("--data", help="As in `run`, such as folder:PATH.")],
    out: Out,
    scale: Scale = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    job_options: JobOptions,
    executor: Annotated[ExecutorChoice, without("jobs", "max_parallel")],
    tracking_uri: TrackingUri = None,
) -> None:
    """Train and test one model. It ends up in OUT/model, for `predict`. The same command continues."""
    from benchmarks.cli.data_notes import find_leaks
    from benchmarks.cli.job_runner import choose_job_device, execute
    from benchmarks.data import open_dataset
    from benchmarks.machine.terminal import text_console
    from benchmarks.plan.expansion import PlannedJob
    from benchmarks.store.job_folder import JobFolder
    from benchmarks.tracking import Tracker

    options = executor.options()
    console = text_console()
    device = choose_job_device(job_options.device, options)
    dataset = open_dataset(data)
    with console.status("checking the data"):
        dataset.validate()
    find_leaks(console, dataset, out)
    job = one_job(method, dataset, job_options, scale=scale, device=device, seed=seed)
    tracker = Tracker(out, tracking_uri)
    outcome = execute(console, [PlannedJob(1, method, job)], out, device, options, tracker, [dataset])[0]
    if outcome.status == "failed":
        _unlink(console, out / "model", JobFolder.of(job, out).model)
        raise typer.Exit(1)
    if outcome.status == "cached":
        console.print(
            "This is the result of an earlier run. A job's key does not follow the code: after a change of the method, "
            f"give another --out, or delete {JobFolder.of(job, out).path}.",
            style="dim",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    folder = JobFolder.of(job, out)
    tracker.sync(folder.path)
    _link(out / "model", folder.model)
    _show(console, folder, out / "model")


def _link(link: Path, target: Path) -> None:
    """Point OUT/model at the model trained last."""
    temporary = link.with_name(".model.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.relative_to(link.parent))
    temporary.replace(link)


def _unlink(console: Console, link: Path, target: Path) -> None:
    """Have `predict` take no older model for that of a training that failed."""
    older = link.resolve()
    if not link.is_symlink() or older == target.resolve():
        return
    link.unlink()
    if older.is_dir():
        console.print(
            f"{link} pointed to the model of an earlier job and was removed; that model is still {older}.",
            style="yellow",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _show(console: Console, folder: JobFolder, model: Path) -> None:
    result = folder.read_result()
    assert result is not None, "the job has not failed"
    data = result.dataset
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in result.metrics.items())
    console.print(f"{data.name}, {data.split} split, {data.images} images: {metrics}", highlight=False)
    console.print(f"model   {model}\nresult  {folder.result}", markup=False, highlight=False)
