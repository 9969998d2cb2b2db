"""Where jobs run and how many at a time, as the user chose it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.errors import UserError

MINUTES = 240
"""The default time limit of a SLURM job. A job that needs longer is requeued and goes on from its checkpoint."""

_OWN_OPTION = {
    "time": "--slurm-time",
    "mem": "--slurm-memory",
    "cpus-per-task": "--slurm-cpus",
    "partition": "--slurm-partition",
    "array": "--max-parallel",
    "gpus-per-node": "--gpus-per-job",
}
_FIXED = ("error", "job-name", "nodes", "ntasks-per-node", "open-mode", "output", "signal")
"""Options of sbatch that the executor depends on."""


@dataclass(frozen=True)
class SlurmOptions:
    """What is asked of SLURM for each job.

    Attributes:
        minutes: time limit.
        memory_gib: None is the cluster's default, as for the others.
        cpus: of each job; None is what its threads need, or on an accelerator the cluster's default.
        max_parallel: jobs that run at the same time; None is as many as SLURM lets run.
        settings: further options of sbatch, without the two dashes.
    """

    minutes: int = MINUTES
    memory_gib: float | None = None
    cpus: int | None = None
    partition: str | None = None
    max_parallel: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ExecutorOptions:
    """How jobs are run.

    Attributes:
        jobs: processes at a time on this machine; 1 is this process itself. None: as many as the cores and the memory
            allow, and on an accelerator as many as share one.
        gpus_per_job: processes that train one job together, on one accelerator each.
        jobs_per_gpu: jobs on this machine that share an accelerator.
        minutes: after which a job on this machine is stopped; None is as long as it takes.
        slurm: None runs on this machine.
    """

    jobs: int | None = None
    gpus_per_job: int = 1
    jobs_per_gpu: int = 1
    minutes: int | None = None
    slurm: SlurmOptions | None = None


def parse_minutes(text: str, option: str = "--slurm-time") -> int:
    """Minutes of a time as sbatch takes it: minutes, m:s, h:m:s, d-h, d-h:m or d-h:m:s; rounded up, at least 1.

    Args:
        option: that takes it, for the errors.

    Raises:
        UserError: it is none of these.
    """
    days, dash, rest = text.rpartition("-")
    parts = rest.split(":")
    well_formed = (days.isdecimal() if dash else True) and all(part.isdecimal() for part in parts) and len(parts) <= 3
    if not well_formed:
        raise UserError(f"{option} {text}: expected minutes, hours:minutes:seconds or days-hours, such as 8:00:00.")
    if not any(map(int, [*parts, days or "0"])):
        raise UserError(f"{option} {text}: expected more than no time.")
    units = (86400, 3600, 60, 1)
    if dash:
        numbers = [int(days), *map(int, parts)]
    else:
        numbers = [0, *([0] if len(parts) < 3 else []), *map(int, parts)]
    seconds = sum(number * unit for number, unit in zip(numbers, units, strict=False))
    return max(1, -(-seconds // 60))


def parse_settings(assignments: list[str]) -> dict[str, str]:
    """Further options of sbatch from `name=value`; a name alone is an option without a value.

    Raises:
        UserError: not such, or an option that has one of its own here.
    """
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        name = name.removeprefix("--").replace("_", "-")
        if not re.fullmatch(r"[a-z][a-z-]*", name) or (equals and not value) or not value.isprintable():
            raise UserError(f"--slurm-set {assignment}: expected an option of sbatch as name=value, such as qos=long.")
        if name in _OWN_OPTION:
            raise UserError(f"--slurm-set {assignment}: say it by {_OWN_OPTION[name]}.")
        if name in _FIXED:
            raise UserError(f"--slurm-set {assignment}: {name} is what submitting depends on and cannot be changed.")
        settings[name] = value
    return settings
