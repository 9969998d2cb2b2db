"""What the machine has, divided among processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.machine.children import child_environment

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
MEMORY_OF_JOB = 3 * 2**30
"""Bytes that a job on a CPU is reckoned to need."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory_bytes() -> int | None:
    """Memory that new processes can have, and not more than the container's; None where neither is told."""
    found = []
    with suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        found.append(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")))
    with suppress(OSError, ValueError):  # the file says "max" where there is no limit
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8")))
    return min(found, default=None)


def jobs_that_fit(threads: int) -> int:
    """Jobs of so many threads that this machine has cores and free memory for at a time; at least one."""
    memory = free_memory_bytes()
    by_memory = cores() if memory is None else memory // MEMORY_OF_JOB
    return max(1, min(cores() // threads, by_memory))


def share_of_threads(jobs: int) -> int:
    """Threads of each of so many jobs whose accelerators compute: at least one, and no more than the user allows."""
    share = max(1, cores() // jobs)
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(allowed)) if allowed.isdecimal() and int(allowed) else share


def accelerators() -> list[str]:
    """The machine's CUDA devices as CUDA_VISIBLE_DEVICES names them."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return [name.strip() for name in listed.split(",") if name.strip()]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def device_groups(device: str, per_job: int, jobs: int, sharing: int = 1) -> list[tuple[str, ...]]:
    """Accelerators for each of at most `jobs` jobs at a time; empty tuples on a CPU.

    Args:
        sharing: jobs that share an accelerator, each of them with all that it needs; the accelerators fill up evenly.

    Raises:
        UserError: not one job can have as many as it wants, or one device is wanted for several jobs.
    """
    if device == "cpu":
        return [()] * jobs
    if device != "cuda":
        raise UserError(f"--device {device} is one device for {jobs} jobs at a time: say --device cuda, or --jobs 1.")
    found = accelerators()
    groups = [tuple(found[first : first + per_job]) for first in range(0, len(found) - per_job + 1, per_job)]
    if not groups:
        raise UserError(f"--gpus-per-job {per_job}: {len(found)} are visible here.")
    return (groups * sharing)[:jobs]


def environment_of_worker(
    base: Mapping[str, str], threads: int, devices: tuple[str, ...] | None = None
) -> dict[str, str]:
    """The environment of a Python process.

    Args:
        devices: accelerators that it has to itself; None leaves the choice to who made `base`.
    """
    visible = {} if devices is None else {"CUDA_VISIBLE_DEVICES": ",".join(devices)}
    return {**child_environment(base), **dict.fromkeys(THREADS, str(threads)), **visible, "PYTHONUNBUFFERED": "1"}
