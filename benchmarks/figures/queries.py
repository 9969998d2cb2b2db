"""Find the query that stands for each instance, and the instances that its mask takes in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.figures.facts import QueryFacts
from pctrans.inspection import MASK_STRIDE


def cells_of(truth: np.ndarray) -> np.ndarray:
    """Sample labels (H, W) at the centres of the masks' cells, sizes rounded up.

    A centre beyond the border takes the label of the last pixel.
    """
    places = (np.minimum(np.arange(MASK_STRIDE // 2, side + 2, MASK_STRIDE), side - 1) for side in truth.shape)
    return truth[np.ix_(*places)]


def soft_dice(masks: np.ndarray, truths: np.ndarray) -> np.ndarray:
    """Compute 2 Σ p t / (Σ p + Σ t) of soft masks (N, P) with binary ones (K, P): (N, K) in [0, 1]."""
    areas = masks.sum(1)[:, None] + truths.sum(1)[None, :]
    return 2 * (masks @ truths.T) / np.maximum(areas, 1e-6)


def best_queries(masks: np.ndarray, cells: np.ndarray, ids: Sequence[int]) -> list[QueryFacts]:
    """Find for each instance the query whose soft mask has the highest Dice with it.

    Args:
        masks: (N, h, w), mask probabilities of all queries.
        cells: (h, w), labels at the masks' resolution.
        ids: ids of the instances.
    """
    flat, labels = masks.reshape(len(masks), -1), cells.ravel()
    dice = soft_dice(flat, (labels[None] == np.asarray(ids)[:, None]).astype(flat.dtype))
    best = dice.argmax(0)
    return [
        QueryFacts(query=int(query), dice=float(dice[query, column]), covered=_covered(flat[query] > 0.5, labels))
        for column, query in enumerate(best)
    ]


def _covered(mask: np.ndarray, labels: np.ndarray) -> list[int]:
    """List the ids of the instances of which the mask covers at least half."""
    ids, place, areas = np.unique(labels, return_inverse=True, return_counts=True)
    inside = np.bincount(place[mask], minlength=len(ids))
    return [int(id) for id in ids[(2 * inside >= areas) & (ids > 0)]]
