"""Bins, calibration error and ranking: by hand, by a loop, by scikit-learn and by COCO's own evaluation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.metrics import contingency_table
from benchmarks.metrics.calibration import (
    BINS,
    bin_sums,
    expected_calibration_error,
    matched_ious,
    ranked_average_precision,
)

OBJECTS = st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from([0.0, 0.51, 0.6, 0.77, 1.0])), max_size=60)


def test_by_hand() -> None:
    """Two objects at 0.1 and 0.05 (bin 1), three in (0.9, 1], one at 0.5, which is the upper edge of bin 5."""
    scores, ious = [0.1, 0.05, 0.95, 1.0, 0.91, 0.5], [0.0, 0.8, 0.9, 0.7, 0.0, 0.6]
    sums = bin_sums(scores, ious)
    assert sums.shape == (BINS, 4)
    assert sums[0].tolist() == pytest.approx([2, 0.15, 1, 0.8])
    assert sums[4].tolist() == pytest.approx([1, 0.5, 1, 0.6])
    assert sums[9].tolist() == pytest.approx([3, 2.86, 2, 1.6])
    assert sums.sum(0)[0] == 6
    by_hand = (2 * abs(0.075 - 0.5) + 1 * abs(0.5 - 1) + 3 * abs(2.86 / 3 - 2 / 3)) / 6
    assert float(expected_calibration_error(sums)) == pytest.approx(by_hand)


def test_nothing_claimed_is_no_error() -> None:
    assert float(expected_calibration_error(bin_sums([], []))) == 0


@given(OBJECTS)
@settings(deadline=None)
def test_a_loop_over_objects(objects: list[tuple[int, float]]) -> None:
    scores, ious = [score / 10**6 for score, _ in objects], [iou for _, iou in objects]
    groups: dict[int, list[tuple[float, float]]] = {}
    for millionths, iou in objects:
        groups.setdefault(max(0, -(-millionths // 10**5) - 1), []).append((millionths / 10**6, iou))
    sums, error = bin_sums(scores, ious), 0.0
    for place in range(BINS):
        members = groups.get(place, [])
        right = [iou for _, iou in members if iou > 0]
        assert sums[place].tolist() == pytest.approx(
            [len(members), sum(score for score, _ in members), len(right), sum(right)]
        )
        if members:
            error += abs(sum(score for score, _ in members) - len(right)) / len(objects)
    assert float(expected_calibration_error(sums)) == pytest.approx(error)


@given(OBJECTS.filter(lambda objects: len({iou > 0 for _, iou in objects}) == 2))
@settings(deadline=None)
def test_scikit_learn_draws_the_same_curve(objects: list[tuple[int, float]]) -> None:
    calibration = pytest.importorskip("sklearn.calibration")
    scores, ious = np.array([score / 10**6 for score, _ in objects]), np.array([iou for _, iou in objects])
    share, mean = calibration.calibration_curve(ious > 0, scores, n_bins=BINS)
    sums = bin_sums(scores, ious)
    filled = sums[sums[:, 0] > 0]
    assert filled[:, 2] / filled[:, 0] == pytest.approx(share)
    assert filled[:, 1] / filled[:, 0] == pytest.approx(mean)


def literal_ranking(objects: list[tuple[float, float]], truths: int, threshold: float) -> float:
    """Walk down the ranking, one score after the other."""
    points = []
    for score in sorted({score for score, _ in objects}, reverse=True):
        above = [iou for other, iou in objects if other >= score]
        right = sum(100 * iou > threshold for iou in above)
        points.append((right / truths, right / len(above)))
    values = [
        max((precision for recall, precision in points if recall >= wanted), default=0.0)
        for wanted in np.linspace(0, 1, 101)
    ]
    return sum(values) / len(values)


@given(OBJECTS, st.integers(0, 20), st.sampled_from([50, 75]))
@settings(deadline=None)
def test_ranking_against_a_loop(objects: list[tuple[int, float]], missed: int, percent: int) -> None:
    found = [(score // 10**5 / 10, iou) for score, iou in objects]  # many ties
    truths = sum(iou > 0 for _, iou in found) + missed
    scores, ious = [score for score, _ in found], [iou for _, iou in found]
    value = ranked_average_precision(scores, ious, truths, percent)
    if not truths:
        assert math.isnan(value)
        return
    assert value == pytest.approx(literal_ranking(found, truths, percent))
    assert value == ranked_average_precision(scores[::-1], ious[::-1], truths, percent)


@pytest.mark.parametrize("seed", range(3))
def test_coco_ranks_the_same(seed: int) -> None:
    """COCO's evaluation of squares in two images, scores without ties and fewer than 100 objects an image."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    random = np.random.default_rng(seed)
    images, annotations, detections, scores, ious, truths = [], [], [], [], [], 0
    for image in (1, 2):
        truth, prediction = np.zeros((100, 100), int), np.zeros((100, 100), int)
        for id, (row, column) in enumerate([(r, c) for r in range(2, 90, 22) for c in range(2, 90, 22)], 1):
            for maps, kept in ((truth, 0.85), (prediction, 0.85)):
                if random.random() < kept:
                    top, left = row + random.integers(0, 4), column + random.integers(0, 4)
                    maps[top : top + 13, left : left + 13] = id
        images.append({"id": image, "height": 100, "width": 100})
        truths += len(np.unique(truth)) - 1
        annotations += [_annotation(truth == id, image, len(annotations) + k) for k, id in enumerate(_ids(truth), 1)]
        table = contingency_table(truth, prediction)
        of_image = random.random(table.num_predicted)
        scores += of_image.tolist()
        ious += matched_ious(table).tolist()
        for id, score in zip(table.prediction_ids, of_image, strict=True):
            box = _annotation(prediction == id, image, 0)["bbox"]
            detections.append({"image_id": image, "category_id": 1, "bbox": box, "score": float(score)})
    reference = coco.COCO()
    reference.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1}], "info": {}}
    reference.createIndex()
    judge = evaluation.COCOeval(reference, reference.loadRes(detections), "bbox")
    judge.evaluate()
    judge.accumulate()
    for place, percent in enumerate(range(50, 100, 5)):
        expected = judge.eval["precision"][place, :, 0, 0, 2].mean()
        assert ranked_average_precision(scores, ious, truths, percent) == pytest.approx(expected), percent


def _ids(labels: np.ndarray) -> list[int]:
    return [int(id) for id in np.unique(labels) if id]


def _annotation(mask: np.ndarray, image: int, id: int) -> dict[str, object]:
    rows, columns = mask.nonzero()
    top, left, height, width = rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1
    box = [float(left), float(top), float(width), float(height)]
    return {"id": id, "image_id": image, "category_id": 1, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}


@given(arrays(int, (6, 7), elements=st.integers(0, 4)), arrays(int, (6, 7), elements=st.integers(0, 4)))
@settings(deadline=None)
def test_matches_are_those_of_masks(truth: np.ndarray, prediction: np.ndarray) -> None:
    table = contingency_table(truth, prediction)
    for id, found in zip(table.prediction_ids, matched_ious(table), strict=True):
        own = prediction == id
        ious = [(own & (truth == t)).sum() / (own | (truth == t)).sum() for t in _ids(truth)]
        best = max(ious, default=0.0)
        assert found == pytest.approx(best if best > 0.5 else 0.0)
