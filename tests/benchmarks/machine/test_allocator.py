from __future__ import annotations

import gc
import sys

import pytest
import torch

from benchmarks.machine.allocator import keep_freed_memory, release_freed_memory
from benchmarks.machine.environment import peak_memory_bytes, reset_peak_memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_freed_memory_is_kept_until_it_is_released() -> None:
    """The peak of a job must not be that of the job before."""
    if not keep_freed_memory():
        pytest.skip("this C library has no mallopt")
    blocks = [torch.ones(2**20) for _ in range(100)]  # 400 MiB in blocks that malloc keeps
    del blocks
    gc.collect()
    reset_peak_memory("cpu")
    kept = peak_memory_bytes("cpu")
    release_freed_memory()
    reset_peak_memory("cpu")
    assert kept - peak_memory_bytes("cpu") > 300 * 2**20
