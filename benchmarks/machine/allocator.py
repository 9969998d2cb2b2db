"""Keeping freed memory at hand."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

# Constants of <malloc.h>.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


@cache
def keep_freed_memory() -> bool:
    """Have glibc reuse the memory of freed tensors instead of returning it to the system; True where it does.

    A training step frees and asks for the same large blocks hundreds of times, and every block that came back
    from the system is faulted in page by page, which costs the backward pass of small layers half its time.
    The process then stays as large as it once was. Blocks above 32 MiB, glibc's limit, are not affected.
    """
    mallopt = _of_glibc("mallopt")
    settings = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in settings.items())


def release_freed_memory() -> None:
    """Return what is free now, so that the peak of one job does not show in the next one of the same process."""
    if trim := _of_glibc("malloc_trim"):
        trim(0)


def _of_glibc(function: str) -> Any:
    """None on other systems, and with other C libraries."""
    return getattr(ctypes.CDLL(None), function, None) if sys.platform.startswith("linux") else None
