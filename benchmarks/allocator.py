"""Keeping freed memory at hand."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

# Constants of <malloc.h>.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3


@cache
def keep_freed_memory() -> bool:
    """Have glibc reuse the memory of freed tensors instead of returning it to the system; True where it does.

    A training step frees and asks for the same large blocks hundreds of times, and every block that came back
    from the system is faulted in page by page, which costs the backward pass of small layers half its time.
    The process then stays as large as it once was. Blocks above 32 MiB, glibc's limit, are not affected.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    settings = {_MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
    return all(mallopt(name, value) == 1 for name, value in settings.items())
