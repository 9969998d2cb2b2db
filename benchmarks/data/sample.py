"""The sample that every dataset yields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sample:
    """One image and its truth.

    Attributes:
        id: stem of the file, unique within a dataset.
        image: (3, H, W) float32 in [0, 1]; grey is repeated.
        labels: (H, W) int32, 0 background, ids not necessarily contiguous; None where no truth is public.
    """

    id: str
    image: np.ndarray
    labels: np.ndarray | None
