"""Rules that select the images, windows and instances a figure shows, so that nobody picks by hand."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Box = tuple[slice, slice]
"""Rows and columns of an image."""


def by_difficulty(scores: Sequence[Mapping[str, float]], count: int) -> list[str]:
    """Select images from hard to easy, evenly spaced by rank of their median score over rows; one is the median.

    Args:
        scores: scores of each row by image; only images that every row has are ranked, and ties go by name.
        count: number of images.

    Returns:
        Fewer than `count` where there are fewer images.
    """
    shared = set.intersection(*map(set, scores)) if scores else set()
    ranked = sorted(shared, key=lambda image: (statistics.median(score[image] for score in scores), image))
    count = min(count, len(ranked))
    return [ranked[math.ceil((2 * index + 1) * len(ranked) / (2 * count)) - 1] for index in range(count)]


def crowded_window(truth: np.ndarray, size: int) -> Box:
    """Find the window of at most `size` by `size` pixels that holds the most centres of true objects."""
    ids, inverse, areas = np.unique(truth, return_inverse=True, return_counts=True)
    centres = np.zeros(truth.shape, int)
    sums = (np.bincount(inverse.ravel(), index.ravel()) for index in np.indices(truth.shape))
    rows, columns = ((total / areas)[ids > 0].astype(int) for total in sums)
    np.add.at(centres, (rows, columns), 1)
    height, width = (min(size, length) for length in truth.shape)
    above = np.pad(centres.cumsum(0), ((1, 0), (0, 0)))
    left_of = np.pad((above[height:] - above[:-height]).cumsum(1), ((0, 0), (1, 0)))
    inside = left_of[:, width:] - left_of[:, :-width]
    top, left = (int(index) for index in np.unravel_index(inside.argmax(), inside.shape))
    return slice(top, top + height), slice(left, left + width)


def typical_side(truth: np.ndarray) -> float:
    """Return the side in pixels of a square with the median area of the objects, of which there must be one."""
    _, areas = np.unique(truth[truth > 0], return_counts=True)
    return float(np.sqrt(np.median(areas)))


@dataclass(frozen=True)
class Target:
    """An instance to look at.

    Attributes:
        box: its bounding box.
        crowding: share of its surroundings that other instances cover, in [0, 1].
        neighbours: ids of the instances in its surroundings.
    """

    id: int
    box: Box
    crowding: float
    neighbours: frozenset[int]


def crowded_targets(truth: np.ndarray, count: int) -> list[Target]:
    """Select the `count` instances with the most crowded surroundings; neighbours only if there are no others.

    Instances that the border of the map may cut are left out, unless there are no others; of the rest, so are those
    smaller than half their median area: specks of dirt are crowded too.
    """
    ids = whole_ids(truth)
    areas = np.array([(truth == id).sum() for id in ids])
    targets = [_target(truth, int(id)) for id in ids[2 * areas >= np.median(areas)]]
    targets.sort(key=lambda target: (-target.crowding, target.id))
    chosen: list[Target] = []
    for target in targets:
        if not any(target.id in other.neighbours or other.id in target.neighbours for other in chosen):
            chosen.append(target)
    rest = [target for target in targets if target not in chosen]
    return (chosen + rest)[:count]


def whole_ids(truth: np.ndarray) -> np.ndarray:
    """List the ids of the instances that do not touch the border of the map, ascending; all ids where all do."""
    border = np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]])
    ids = np.unique(truth[truth > 0])
    inside = np.setdiff1d(ids, border)
    return inside if len(inside) else ids


def _target(truth: np.ndarray, id: int) -> Target:
    """Describe an instance; its surroundings are its bounding box with half a height and width added on each side."""
    rows, columns = (np.flatnonzero((truth == id).any(axis=axis)) for axis in (1, 0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    surroundings = truth[tuple(_widened(part, length) for part, length in zip(box, truth.shape, strict=True))]
    around = surroundings[surroundings != id]
    others = around[around > 0]
    return Target(id, box, len(others) / max(len(around), 1), frozenset(np.unique(others).tolist()))


def _widened(part: slice, length: int) -> slice:
    margin = math.ceil((part.stop - part.start) / 2)
    return slice(max(part.start - margin, 0), min(part.stop + margin, length))
