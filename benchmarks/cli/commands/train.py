"""`pctrans-bench train`: one model on one data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.executor_choice import ExecutorChoice
from benchmarks.cli.option_groups import grouped, without
from benchmarks.cli.options import JobOptions, Out, Scale, TrackingUri, model_place, one_job
from benchmarks.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.plan.starting import StartingModel
    from benchmarks.store.job_folder import JobFolder


@grouped
def train(
    *,
    method: Annotated[
        str | None, typer.Argument(help="Name of a method; `list methods` shows them. With --from: that model's.")
    ] = None,
    data: Annotated[str, typer.Option("--data", help="As in `run`, such as folder:PATH.")],
    out: Out,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            parser=model_place,
            metavar="MODEL",
            help="Start from the weights of a trained model, with its method and architecture: OUT of `train`, a job's "
            "folder, its model folder, or the name of a built-in model.",
        ),
    ] = None,
    scale: Scale = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the training; `run` has 0, 1, …")] = 0,
    job_options: JobOptions,
    executor: Annotated[ExecutorChoice, without("jobs", "max_parallel")],
    tracking_uri: TrackingUri = None,
) -> None:
    """Train and test one model. It ends up in OUT/model, for `predict`. The same command continues.

    With --from, a trained model is adapted to other images, by the scale's schedule.
    """
    from benchmarks.cli.data_notes import find_leaks
    from benchmarks.cli.job_runner import choose_job_device, execute
    from benchmarks.cli.starting_notes import starting_notes
    from benchmarks.data import open_dataset
    from benchmarks.machine.terminal import text_console
    from benchmarks.plan.expansion import PlannedJob
    from benchmarks.store.job_folder import JobFolder
    from benchmarks.tracking import Tracker

    options = executor.options()
    console = text_console()
    model = _starting_model(start, out) if start else None
    method = _method(method, model)
    device = choose_job_device(job_options.device, options)
    dataset = open_dataset(data)
    with console.status("checking the data"):
        dataset.validate()
    find_leaks(console, dataset, out)
    job = one_job(method, dataset, job_options, scale=scale, device=device, seed=seed, start=model)
    for note in starting_notes(model, dataset, job) if model else ():
        console.print(f"note: {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    tracker = Tracker(out, tracking_uri)
    label = f"{method} from {model.weights.name}" if model else method
    outcome = execute(console, [PlannedJob(1, label, job)], out, device, options, tracker, [dataset])[0]
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


def _starting_model(path: Path, out: Path) -> StartingModel:
    from benchmarks.cli.starting_notes import refuse_moving_start
    from benchmarks.store.models.starting_model import read_starting_model

    refuse_moving_start(path, out)
    return read_starting_model(path)


def _method(asked: str | None, start: StartingModel | None) -> str:
    """Return the method that was asked for, else that of the model to start from."""
    if asked is not None:
        return asked
    if start is None:
        raise UserError(
            "train needs the name of a method, such as `train pctrans` (`list methods` shows them), or --from MODEL, a "
            "trained model to start from."
        )
    return start.method


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
