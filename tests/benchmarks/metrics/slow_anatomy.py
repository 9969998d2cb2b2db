"""Fates, shares and surface distances once more, as literal as their definitions, over full-size boolean masks."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from slow_metrics import iou, masks

KINDS = ("missed", "spurious", "merged", "split", "localisation", "boundary")


def fates(truth_map: np.ndarray, prediction_map: np.ndarray) -> tuple[list[str], list[str]]:
    truth, prediction = masks(truth_map), masks(prediction_map)
    holds = [[t for t, g in enumerate(truth) if (g & s).sum() > g.sum() / 2] for s in prediction]
    pieces = [[p for p, s in enumerate(prediction) if (g & s).sum() > s.sum() / 2] for g in truth]
    of_truth, of_prediction = [""] * len(truth), [""] * len(prediction)
    for t, g in enumerate(truth):
        for p, s in enumerate(prediction):
            if 2 * int((g & s).sum()) > int((g | s).sum()):
                of_truth[t] = of_prediction[p] = "matched"
    for p, held in enumerate(holds):
        if len(held) > 1:
            of_prediction[p] = of_prediction[p] or "merged"
            for t in held:
                of_truth[t] = of_truth[t] or "merged"
    for t, inside in enumerate(pieces):
        if len(inside) > 1:
            of_truth[t] = of_truth[t] or "split"
            for p in inside:
                of_prediction[p] = of_prediction[p] or "split"
    left = [t for t, fate in enumerate(of_truth) if not fate], [p for p, fate in enumerate(of_prediction) if not fate]
    for t in left[0]:
        for p in left[1]:
            if 100 * int((truth[t] & prediction[p]).sum()) >= 10 * int((truth[t] | prediction[p]).sum()):
                of_truth[t] = of_prediction[p] = "localisation"
    return [fate or "missed" for fate in of_truth], [fate or "spurious" for fate in of_prediction]


def shares(truth_map: np.ndarray, prediction_map: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
    """Of 1 - PQ and of 1 - AP: the mean gain of each kind over all 720 orders of mending."""
    values = {mended: _mended(truth_map, prediction_map, mended) for mended in _subsets()}
    found = []
    for metric in (0, 1):
        gains = dict.fromkeys(KINDS, 0.0)
        for order in permutations(KINDS):
            for place, kind in enumerate(order):
                before, after = frozenset(order[:place]), frozenset(order[: place + 1])
                gains[kind] += (values[after][metric] - values[before][metric]) / 720
        found.append(gains)
    return found[0], found[1]


def _subsets() -> list[frozenset[str]]:
    return [frozenset(kind for bit, kind in enumerate(KINDS) if number >> bit & 1) for number in range(64)]


def _mended(truth_map: np.ndarray, prediction_map: np.ndarray, mended: frozenset[str]) -> tuple[float, float]:
    """PQ and AP of the list of pairs and of what is in none, once it is mended instance by instance."""
    truth, prediction = masks(truth_map), masks(prediction_map)
    of_truth, of_prediction = fates(truth_map, prediction_map)
    ious = [iou(g, s) for g in truth for s in prediction if 2 * int((g & s).sum()) > int((g | s).sum())]
    if "boundary" in mended:
        ious = [1.0] * len(ious)
    ious += [1.0 for fate in of_truth if fate in mended]
    alone = sum(fate != "matched" and fate not in mended for fate in (*of_truth, *of_prediction))
    pq = sum(ious) / (len(ious) + alone / 2) if ious or alone else 1.0
    precisions = []
    for percent in range(50, 100, 5):
        found = sum(one > percent / 100 + 1e-12 for one in ious)
        total = found + 2 * (len(ious) - found) + alone
        precisions.append(found / total if total else 1.0)
    return pq, float(np.mean(precisions))


def surface_distances(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    outlines = [_outline(first), _outline(second)]
    there, back = (
        [min(float(np.hypot(r - y, c - x)) for y, x in other) for r, c in one]
        for one, other in (outlines, outlines[::-1])
    )
    return float(np.mean(there + back)), max(_percentile(there), _percentile(back))


def _outline(mask: np.ndarray) -> list[tuple[int, int]]:
    def inside(row: int, column: int) -> bool:
        return 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and bool(mask[row, column])

    steps = ((0, 1), (0, -1), (1, 0), (-1, 0))
    return [
        (row, column)
        for row, column in np.ndindex(mask.shape)
        if mask[row, column] and not all(inside(row + down, column + right) for down, right in steps)
    ]


def _percentile(values: list[float]) -> float:
    """The 95th percentile: between the two values whose ranks lie around 0.95 (n - 1)."""
    ordered, place = sorted(values), 0.95 * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def touching(labels: np.ndarray) -> list[bool]:
    found = []
    for mask in masks(labels):
        others = np.argwhere((labels > 0) & ~mask)
        found.append(any(np.abs(others - pixel).max(axis=1).min() <= 2 for pixel in np.argwhere(mask) if len(others)))
    return found
