"""From the confidence of pixels to a score for each object."""

from __future__ import annotations

import numpy as np

_BLOCK = 1 << 22
"""Pixels that are summed at a time: the sums need 16 bytes for each."""

_ROUNDING = 1e-6


def mean_by_object(labels: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Average confidence over the pixels of each object.

    Args:
        labels: (H, W) integers, 0 background, ids 1..K without gaps.
        confidence: (H, W) float in [0, 1].

    Returns:
        (K,) float64 in [0, 1], in the order of the ids.

    Raises:
        ValueError: the confidence of an object is not in [0, 1], as that of a method that gives logits.
    """
    count = int(labels.max(initial=0)) + 1
    sums, areas = np.zeros(count), np.zeros(count, np.int64)
    flat_labels, flat_confidence = labels.ravel(), confidence.ravel()
    for start in range(0, flat_labels.size, _BLOCK):
        part = flat_labels[start : start + _BLOCK]
        sums += np.bincount(part, flat_confidence[start : start + _BLOCK], minlength=count)
        areas += np.bincount(part, minlength=count)
    means = sums[1:] / areas[1:]
    if not ((means >= -_ROUNDING) & (means <= 1 + _ROUNDING)).all():
        raise ValueError(f"objects have mean confidence from {means.min()} to {means.max()}, expected [0, 1]")
    return np.clip(means, 0, 1)
