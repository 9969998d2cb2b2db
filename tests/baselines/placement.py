"""Whether objects are found where they are, to a fraction of a pixel."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor


def discs(side: int) -> Tensor:
    """A map of 16 discs (side, side) whose centres lie at all fractions of a pixel, ids 1..16."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    labels, step = np.zeros((side, side), np.int64), side / 4
    for number, (row, column) in enumerate(np.ndindex(4, 4), 1):
        top, left = (np.array([row, column]) + 0.5) * step + rng.uniform(-1.5, 1.5, 2)
        labels[np.hypot(y - top, x - left) <= 0.35 * step + rng.uniform(-1, 1)] = number
    return torch.from_numpy(labels)


def mean_offset(truth: Tensor, found: Tensor) -> np.ndarray:
    """How far (rows, columns) in pixels the centres of mass of objects found lie from the true ones, on average.

    Args:
        truth: (H, W), ids 1..K.
        found: (H, W), any ids; of each true object the one is taken that covers most of it.
    """
    true, other = truth.numpy(), found.numpy()
    ids = range(1, int(true.max()) + 1)
    matches = [np.bincount(other[true == id]).argmax() for id in ids]
    assert all(matches), "an object is not found"
    before = np.array([ndimage.center_of_mass(true == id) for id in ids])
    after = np.array([ndimage.center_of_mass(other == match) for match in matches])
    return (after - before).mean(0)
