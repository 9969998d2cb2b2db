"""The CPU threads that a job computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def computing_with(threads: int | None) -> Iterator[None]:
    """Torch computes with exactly so many threads inside, and with as many as before afterwards.

    Sums are split among threads, so their number decides how results are rounded. Everything of a job that rounds is
    torch's: metrics count pixels, scipy's assignment and scikit-image's labelling have one thread, and no product of
    numpy's is part of a result, so that its linear algebra library has no say.

    Args:
        threads: `training.threads` of the job; None, as of jobs on an accelerator, changes nothing.
    """
    before = torch.get_num_threads()
    # Also where the number is the same: setting it stops MKL from choosing fewer threads by itself.
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
