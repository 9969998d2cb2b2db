"""Options of commands that run jobs: where, and how many at a time."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.errors import UserError

if TYPE_CHECKING:
    from benchmarks.run.executors.options import ExecutorOptions


class ExecutorName(StrEnum):
    """Where jobs run."""

    local = "local"
    slurm = "slurm"


Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        help="Jobs at a time on this machine, a process each; 1 runs in this process. Default: on a CPU as many as its "
        "cores and memory allow, else 1. Numbers do not depend on it.",
    ),
]
GpusPerJob = Annotated[
    int, typer.Option("--gpus-per-job", min=1, help="Processes that train one job together, an accelerator each.")
]
Executor = Annotated[
    ExecutorName,
    typer.Option("--executor", help="slurm submits the jobs to a cluster, whose nodes all have to see --out."),
]
MaxParallel = Annotated[
    int | None, typer.Option("--max-parallel", min=1, help="SLURM: jobs at a time. Default: as many as it lets.")
]
SlurmTime = Annotated[
    str | None,
    typer.Option(
        "--slurm-time",
        help="Time limit of a job: minutes, hours:minutes:seconds or days-hours. Default: 4:00:00. "
        "A longer job is requeued and goes on.",
    ),
]
SlurmMemory = Annotated[float | None, typer.Option("--slurm-memory", min=0.1, help="GiB of memory a job.")]
SlurmCpus = Annotated[int | None, typer.Option("--slurm-cpus", min=1, help="CPUs a job.")]
SlurmPartition = Annotated[str | None, typer.Option("--slurm-partition", help="Partition to submit to.")]
SlurmSet = Annotated[
    list[str] | None,
    typer.Option("--slurm-set", metavar="NAME=VALUE", help="Any other option of sbatch, such as account=lab."),
]


def executor_options(
    executor: ExecutorName,
    *,
    jobs: int | None = None,
    gpus_per_job: int = 1,
    max_parallel: int | None = None,
    slurm_time: str | None = None,
    slurm_memory: float | None = None,
    slurm_cpus: int | None = None,
    slurm_partition: str | None = None,
    slurm_set: list[str] | None = None,
) -> ExecutorOptions:
    """The options of a command as one value.

    Raises:
        UserError: a value that cannot be read, or an option of the other executor.
    """
    from benchmarks.run.executors.options import MINUTES, ExecutorOptions, SlurmOptions, parse_minutes, parse_settings

    if executor == ExecutorName.local:
        of_slurm = {
            "--max-parallel": max_parallel,
            "--slurm-time": slurm_time,
            "--slurm-memory": slurm_memory,
            "--slurm-cpus": slurm_cpus,
            "--slurm-partition": slurm_partition,
            "--slurm-set": slurm_set,
        }
        for name, value in of_slurm.items():
            if value:
                raise UserError(f"{name} is for --executor slurm, and the jobs would run on this machine.")
        return ExecutorOptions(jobs, gpus_per_job)
    if jobs is not None and jobs > 1:
        raise UserError(f"--jobs {jobs} is for this machine; with --executor slurm say --max-parallel {jobs}.")
    slurm = SlurmOptions(
        minutes=parse_minutes(slurm_time) if slurm_time else MINUTES,
        memory_gib=slurm_memory,
        cpus=slurm_cpus,
        partition=slurm_partition,
        max_parallel=max_parallel,
        settings=parse_settings(slurm_set or []),
    )
    return ExecutorOptions(jobs, gpus_per_job, slurm)
