"""`pctrans-bench train`: one model on one data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.cli.executor_options import (
    Executor,
    ExecutorName,
    GpusPerJob,
    SlurmCpus,
    SlurmMemory,
    SlurmPartition,
    SlurmSet,
    SlurmTime,
    executor_options,
)
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

    from benchmarks.store.job_folder import JobFolder


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
    executor: Executor = ExecutorName.local,
    gpus_per_job: GpusPerJob = 1,
    slurm_time: SlurmTime = None,
    slurm_memory: SlurmMemory = None,
    slurm_cpus: SlurmCpus = None,
    slurm_partition: SlurmPartition = None,
    slurm_set: SlurmSet = None,
    tracking_uri: TrackingUri = None,
) -> None:
    """Train and test one model. It ends up in OUT/model, for `predict`. The same command continues."""
    from rich.console import Console

    from benchmarks.cli.executing import choose_job_device, execute
    from benchmarks.data import open_dataset
    from benchmarks.plan.expansion import PlannedJob
    from benchmarks.store.job_folder import JobFolder
    from benchmarks.tracking import Tracker

    options = executor_options(
        executor,
        gpus_per_job=gpus_per_job,
        slurm_time=slurm_time,
        slurm_memory=slurm_memory,
        slurm_cpus=slurm_cpus,
        slurm_partition=slurm_partition,
        slurm_set=slurm_set,
    )
    console = Console()
    device = choose_job_device(device, options)
    dataset = open_dataset(data)
    with console.status("checking the data"):
        dataset.validate()
    job = one_job(
        method, dataset, scale=scale, protocol=protocol, seed=seed, config=config, assignments=set_, device=device
    )
    tracker = Tracker(out, tracking_uri)
    outcome = execute(console, [PlannedJob(1, method, job)], out, device, options, tracker, [dataset])[0]
    if outcome.status == "failed":
        raise typer.Exit(1)
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


def _show(console: Console, folder: JobFolder, model: Path) -> None:
    result = folder.read_result()
    assert result is not None, "the job has not failed"
    data = result.dataset
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in result.metrics.items())
    console.print(f"{data.name}, {data.split} split, {data.images} images: {metrics}", highlight=False)
    console.print(f"model   {model}\nresult  {folder.result}", markup=False, highlight=False)
