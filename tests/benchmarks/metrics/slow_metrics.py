"""The metrics once more, as slow and literal as their definitions, over full-size boolean masks."""

from __future__ import annotations

from itertools import permutations

import numpy as np


def masks(labels: np.ndarray) -> list[np.ndarray]:
    return [labels == index for index in np.unique(labels) if index != 0]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def both_or_one_empty(truth: list[np.ndarray], prediction: list[np.ndarray]) -> float | None:
    if not truth and not prediction:
        return 1.0
    return None if truth and prediction else 0.0


def aji(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    truth, prediction = masks(truth_map), masks(prediction_map)
    edge = both_or_one_empty(truth, prediction)
    if edge is not None:
        return edge
    intersection = union = 0
    used = set()
    for g in truth:
        overlaps = [iou(g, s) for s in prediction]
        best = int(np.argmax(overlaps))
        if overlaps[best] == 0:
            union += g.sum()
            continue
        intersection += (g & prediction[best]).sum()
        union += (g | prediction[best]).sum()
        used.add(best)
    union += sum(s.sum() for index, s in enumerate(prediction) if index not in used)
    return intersection / union


def aji_pea(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    """The procedure of the released evaluation: predictions are used up, and argmax of zeros is the first."""
    truth, prediction = masks(truth_map), masks(prediction_map)
    edge = both_or_one_empty(truth, prediction)
    if edge is not None:
        return edge
    intersection = union = 0
    used = [False] * len(prediction)
    for g in truth:
        counts = [
            (0, g.sum()) if gone else ((g & s).sum(), (g | s).sum()) for s, gone in zip(prediction, used, strict=True)
        ]
        best = int(np.argmax([shared / total for shared, total in counts]))
        intersection += counts[best][0]
        union += counts[best][1]
        used[best] = True
    union += sum(s.sum() for index, s in enumerate(prediction) if not used[index])
    return intersection / union


def aji_plus(truth_map: np.ndarray, prediction_map: np.ndarray) -> set[float]:
    """AJI+ of every one-to-one assignment of the highest total IoU, by trying all (at most 6 instances)."""
    truth, prediction = masks(truth_map), masks(prediction_map)
    edge = both_or_one_empty(truth, prediction)
    if edge is not None:
        return {edge}
    size = max(len(truth), len(prediction))
    nothing = np.zeros_like(truth[0])
    truth += [nothing] * (size - len(truth))
    prediction += [nothing] * (size - len(prediction))
    scores: dict[float, set[float]] = {}
    for order in permutations(range(size)):
        pairs = [(g, prediction[column]) for g, column in zip(truth, order, strict=True)]
        total = round(sum(iou(g, s) for g, s in pairs if (g & s).any()), 9)
        intersection = sum((g & s).sum() for g, s in pairs)
        union = sum((g | s).sum() for g, s in pairs)
        scores.setdefault(total, set()).add(intersection / union)
    return scores[max(scores)]


def aji_cellpose(truth_map: np.ndarray, prediction_map: np.ndarray) -> set[float]:
    """Cellpose's AJI of every one-to-one assignment of the least cost, by trying all (at most 6 instances).

    The cost of a pair is -(IoU ≥ 0.5) - IoU / (2 n), n the smaller number of instances.
    """
    truth, prediction = masks(truth_map), masks(prediction_map)
    edge = both_or_one_empty(truth, prediction)
    if edge is not None:
        return {edge}
    fewest, size = min(len(truth), len(prediction)), max(len(truth), len(prediction))
    nothing = np.zeros_like(truth[0])
    truth += [nothing] * (size - len(truth))
    prediction += [nothing] * (size - len(prediction))
    foreground = ((truth_map > 0) | (prediction_map > 0)).sum()
    scores: dict[float, set[float]] = {}
    for order in permutations(range(size)):
        pairs = [(g, prediction[column]) for g, column in zip(truth, order, strict=True)]
        overlaps = [iou(g, s) for g, s in pairs if (g & s).any()]
        cost = round(sum(-int(overlap >= 0.5) - overlap / (2 * fewest) for overlap in overlaps), 9)
        scores.setdefault(cost, set()).add(sum((g & s).sum() for g, s in pairs) / foreground)
    return scores[min(scores)]


def dice(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    a, b = truth_map > 0, prediction_map > 0
    return 2 * (a & b).sum() / (a.sum() + b.sum()) if a.any() or b.any() else 1.0


def dice_zero_if_empty(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    a, b = truth_map > 0, prediction_map > 0
    return 2 * (a & b).sum() / (a.sum() + b.sum()) if a.any() or b.any() else 0.0


def best_dices(truth_map: np.ndarray, prediction_map: np.ndarray) -> list[float]:
    truth, prediction = masks(truth_map), masks(prediction_map)
    edge = both_or_one_empty(truth, prediction)
    if edge is not None:
        return [edge, edge]

    def best_dice(first: list[np.ndarray], second: list[np.ndarray]) -> float:
        return float(np.mean([max(2 * (a & b).sum() / (a.sum() + b.sum()) for b in second) for a in first]))

    return [best_dice(truth, prediction), best_dice(prediction, truth)]


def sbd(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    return min(best_dices(truth_map, prediction_map))


def sbd_max(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    return max(best_dices(truth_map, prediction_map))


def matches(truth_map: np.ndarray, prediction_map: np.ndarray, percent: int) -> list[float]:
    """IoU of every pair strictly above the threshold, decided in integers."""
    return [
        iou(g, s)
        for g in masks(truth_map)
        for s in masks(prediction_map)
        if 100 * int((g & s).sum()) > percent * int((g | s).sum())
    ]


def matches_at_least_half(truth_map: np.ndarray, prediction_map: np.ndarray) -> list[float]:
    """IoU of the pairs of the largest one-to-one choice among those of at least 0.5, by trying all."""
    reached = [
        (row, column, iou(g, s))
        for row, g in enumerate(masks(truth_map))
        for column, s in enumerate(masks(prediction_map))
        if 2 * int((g & s).sum()) >= int((g | s).sum())
    ]

    def best(left: list[tuple[int, int, float]]) -> list[float]:
        if not left:
            return []
        (row, column, value), *rest = left
        with_first = [value, *best([pair for pair in rest if pair[0] != row and pair[1] != column])]
        return max(with_first, best(rest), key=lambda chosen: (len(chosen), sum(chosen)))

    return best(reached)


def f1_at_least_half(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    count = len(masks(truth_map)) + len(masks(prediction_map))
    return 2 * len(matches_at_least_half(truth_map, prediction_map)) / count if count else 1.0


def pq_at_least_half(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    count = len(masks(truth_map)) + len(masks(prediction_map))
    return 2 * sum(matches_at_least_half(truth_map, prediction_map)) / count if count else 1.0


def f1(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    count = len(masks(truth_map)) + len(masks(prediction_map))
    return 2 * len(matches(truth_map, prediction_map, 50)) / count if count else 1.0


def sq(truth_map: np.ndarray, prediction_map: np.ndarray) -> float:
    found = matches(truth_map, prediction_map, 50)
    if found:
        return float(np.mean(found))
    return 0.0 if truth_map.any() or prediction_map.any() else 1.0


def ap_at(truth_map: np.ndarray, prediction_map: np.ndarray, percent: int) -> float:
    found = len(matches(truth_map, prediction_map, percent))
    count = len(masks(truth_map)) + len(masks(prediction_map)) - found
    return found / count if count else 1.0


def all_metrics(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Everything but AJI+, which may have several answers."""
    difference = len(masks(prediction)) - len(masks(truth))
    return {
        "aji": aji(truth, prediction),
        "dice": dice(truth, prediction),
        "f1": f1(truth, prediction),
        "pq": f1(truth, prediction) * sq(truth, prediction),
        "dq": f1(truth, prediction),
        "sq": sq(truth, prediction),
        "sbd": sbd(truth, prediction),
        "abs_dic": abs(difference),
        "dic": difference,
        "ap50": ap_at(truth, prediction, 50),
        "ap": float(np.mean([ap_at(truth, prediction, percent) for percent in range(50, 100, 5)])),
        "aji_pea": aji_pea(truth, prediction),
    }
