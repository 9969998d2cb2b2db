"""Voting: several views of the same image make one label map."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
from torch import Tensor

from benchmarks.metrics import ContingencyTable, contingency_table, relabel

FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


def segment_views(
    segment: Callable[[Tensor], tuple[Tensor, Tensor | None]], images: Tensor
) -> list[tuple[Tensor, Tensor | None]]:
    """Segment (B, 3, h, w) images in each of `FLIPS`; return what is found, maps of (B, h, w), flipped back."""
    found = ((axes, segment(images.flip(axes))) for axes in FLIPS)
    return [(maps.flip(axes), None if sure is None else sure.flip(axes)) for axes, (maps, sure) in found]


def vote(views: list[np.ndarray]) -> np.ndarray:
    """Combine V label maps of one image into one.

    Label maps have no common ids, so objects are matched first. The view that the others agree with most is
    the reference; an object of another view counts for the reference's object with which its IoU is above
    0.5. An object is kept if at least half of the views have it; a pixel belongs to it if more than half of
    the views that have the object say so, and where they are even, the reference decides.

    Args:
        views: V maps, (h, w) integers, 0 background.

    Returns:
        (h, w) int32, ids not necessarily contiguous.
    """
    return _majority(_with_common_ids(views)[0])


def vote_with_confidence(views: list[np.ndarray], confidence: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Combine V label maps as `vote` does, and how sure they are of their pixels.

    Args:
        views: V maps, (h, w) integers, 0 background.
        confidence: V maps, (h, w) float in [0, 1].

    Returns:
        The label map, and (h, w) float32: the mean over all views, in which one that does not give the pixel to the
        object that has it counts 0, as disagreement is doubt.
    """
    common, order = _with_common_ids(views)
    labels = _majority(common)
    agreeing = np.where(common == labels, np.stack(confidence)[order], 0)
    return labels, agreeing.mean(axis=0, dtype=np.float32)


def _with_common_ids(views: list[np.ndarray]) -> tuple[np.ndarray, list[int]]:
    """Rename the objects of all views as the reference names them; the maps (V, h, w), it first, and their order."""
    tables = {(a, b): contingency_table(views[a], views[b]) for a, b in permutations(range(len(views)), 2)}
    matches = {pair: 2 * table.intersections > table.unions for pair, table in tables.items()}
    agreement = [sum(matches[a, b].sum() for b in range(len(views)) if b != a) for a in range(len(views))]
    reference = int(np.argmax(agreement))
    own = relabel(views[reference])[0]
    others = [view for view in range(len(views)) if view != reference]
    renamed = [_renamed(views[view], tables[reference, view], matches[reference, view]) for view in others]
    return np.stack([own, *renamed]), [reference, *others]


def _renamed(labels: np.ndarray, table: ContingencyTable, matched: np.ndarray) -> np.ndarray:
    """Return a view with the reference's (dense) ids where its objects match, and 0 elsewhere."""
    lookup = np.zeros(table.num_predicted + 1, np.int64)
    lookup[table.prediction_index[matched] + 1] = table.truth_index[matched] + 1
    return lookup[relabel(labels)[0]]


def _majority(views: np.ndarray) -> np.ndarray:
    """Vote on (V, h, w) maps with common ids, the reference first."""
    support = np.zeros(views.max() + 1, np.int64)
    for view in views:
        support[np.unique(view)] += 1
    best = np.zeros(views.shape[1:], np.int64)
    winner = np.zeros(views.shape[1:], np.int64)
    for candidate in views:
        # Twice the votes, so that the reference's half vote can break a tie in integers.
        votes = 2 * (views == candidate).sum(axis=0) + (views[0] == candidate)
        better = (candidate > 0) & (votes > best)
        best[better], winner[better] = votes[better], candidate[better]
    accepted = (best > support[winner]) & (2 * support[winner] >= len(views))
    return np.where(accepted, winner, 0).astype(np.int32)
