"""Options of commands that run jobs: where, and how many at a time."""

from __future__ import annotations

from dataclasses import dataclass
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
        "cores and memory allow, else --jobs-per-gpu. Numbers do not depend on it.",
    ),
]


@dataclass(frozen=True)
class ExecutorChoice:
    """Options that say where jobs run; those that begin with `slurm` are what each job asks of the cluster."""

    executor: Annotated[
        ExecutorName,
        typer.Option("--executor", help="slurm submits the jobs to a cluster, whose nodes all have to see --out."),
    ] = ExecutorName.local
    jobs: Jobs = None
    gpus_per_job: Annotated[
        int, typer.Option("--gpus-per-job", min=1, help="Processes that train one job together, an accelerator each.")
    ] = 1
    jobs_per_gpu: Annotated[
        int,
        typer.Option("--jobs-per-gpu", min=1, help="Jobs on this machine that share an accelerator: small models."),
    ] = 1
    job_time: Annotated[
        str | None,
        typer.Option(
            "--job-time",
            help="Stop a job on this machine that takes longer, as one that hangs: minutes, hours:minutes:seconds or "
            "days-hours. It has failed then; the same command goes on from its checkpoint. Default: no limit.",
        ),
    ] = None
    max_parallel: Annotated[
        int | None,
        typer.Option(
            "--max-parallel",
            min=1,
            help="SLURM: jobs at a time. Default: as many as it lets; of a study that is no grid, 4.",
        ),
    ] = None
    slurm_time: Annotated[
        str | None,
        typer.Option(
            "--slurm-time",
            help="Time limit of a job: minutes, hours:minutes:seconds or days-hours. Default: 4:00:00. "
            "A longer job is requeued and goes on.",
        ),
    ] = None
    slurm_memory: Annotated[float | None, typer.Option("--slurm-memory", min=0.1, help="GiB of memory a job.")] = None
    slurm_cpus: Annotated[int | None, typer.Option("--slurm-cpus", min=1, help="CPUs a job.")] = None
    slurm_partition: Annotated[str | None, typer.Option("--slurm-partition", help="Partition to submit to.")] = None
    slurm_set: Annotated[
        list[str] | None,
        typer.Option("--slurm-set", metavar="NAME=VALUE", help="Any other option of sbatch, such as account=lab."),
    ] = None

    def options(self) -> ExecutorOptions:
        """Return what the harness takes.

        Raises:
            UserError: a value cannot be read, or an option is for the other executor.
        """
        from benchmarks.run.executors.options import (
            MINUTES,
            ExecutorOptions,
            SlurmOptions,
            parse_minutes,
            parse_settings,
        )

        if self.executor == ExecutorName.local:
            self._refuse_options_of_slurm()
            minutes = parse_minutes(self.job_time, "--job-time") if self.job_time else None
            return ExecutorOptions(self.jobs, self.gpus_per_job, self.jobs_per_gpu, minutes)
        if self.job_time:
            raise UserError("--job-time is for jobs on this machine; with --executor slurm say --slurm-time.")
        if self.jobs is not None and self.jobs > 1:
            raise UserError(
                f"--jobs {self.jobs} is for this machine; with --executor slurm say --max-parallel {self.jobs}."
            )
        if self.jobs_per_gpu > 1:
            raise UserError("--jobs-per-gpu is for this machine; a cluster gives each of its jobs accelerators.")
        slurm = SlurmOptions(
            minutes=parse_minutes(self.slurm_time) if self.slurm_time else MINUTES,
            memory_gib=self.slurm_memory,
            cpus=self.slurm_cpus,
            partition=self.slurm_partition,
            max_parallel=self.max_parallel,
            settings=parse_settings(self.slurm_set or []),
        )
        return ExecutorOptions(self.jobs, self.gpus_per_job, slurm=slurm)

    def _refuse_options_of_slurm(self) -> None:
        for name in ("max_parallel", "slurm_time", "slurm_memory", "slurm_cpus", "slurm_partition", "slurm_set"):
            if getattr(self, name):
                option = f"--{name.replace('_', '-')}"
                raise UserError(f"{option} is for --executor slurm, and the jobs would run on this machine.")
