"""The sample that every dataset yields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

IGNORE = -1
"""The label of pixels of the truth that nobody has judged: what is there is neither missed nor spurious."""


@dataclass(frozen=True)
class Sample:
    """One image and its truth.

    Attributes:
        id: stem of the file, unique within a dataset.
        image: (3, H, W) float32 in [0, 1]; grey is repeated.
        labels: (H, W) int32, 0 background, ids not necessarily contiguous, `IGNORE` where nothing is known; None where
            no truth is public.
    """

    id: str
    image: np.ndarray
    labels: np.ndarray | None

    @property
    def objects(self) -> np.ndarray:
        """(H, W) int32, the labels with background where they are `IGNORE`: what is trained on and drawn.

        Raises:
            ValueError: there are no labels.
        """
        if self.labels is None:
            raise ValueError(f"{self.id} has no labels")
        return np.maximum(self.labels, 0) if (self.labels == IGNORE).any() else self.labels
