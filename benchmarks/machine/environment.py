"""What a result was made on."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.machine.commit import commit_of_this_code

PACKAGES = ("torch", "transformers", "numpy", "scipy", "scikit-image", "tifffile", "mlflow", "optuna")


def describe_environment(device: str) -> dict[str, Any]:
    """Versions, commit and hardware, as JSON-able values; `device` is a torch device's name."""
    import torch

    accelerator = torch.cuda.get_device_name(torch.device(device)) if device.startswith("cuda") else None
    return {
        "pctrans-bench": package_version(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "commit": commit_of_this_code(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": _memory_gib(),
        "device": device,
        "accelerator": accelerator,
    }


def choose_device(asked: str) -> str:
    """Resolve "auto" to the accelerator if there is one, else the CPU; check any other name.

    Raises:
        UserError: a device that is not there.
    """
    import torch

    from benchmarks.errors import UserError

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(asked)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device '{asked}' cannot be used here: {error}") from error
    return asked


def has_accelerator() -> bool:
    """Whether this machine has a CUDA device that torch can use."""
    import torch

    return torch.cuda.is_available()


def reset_peak_memory(device: str) -> None:
    """Start a new measurement of peak memory."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(torch.device(device))
    with suppress(OSError):  # elsewhere than on Linux, the peak is that of the whole process
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets VmHWM


def peak_memory_bytes(device: str) -> int:
    """Peak since the last reset: the accelerator's allocations, or on a CPU the process' resident memory."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(torch.device(device))
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def package_version() -> str | None:
    """The version of this package; None where it is not installed."""
    return _version("pctrans-bench")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError):
        return None
