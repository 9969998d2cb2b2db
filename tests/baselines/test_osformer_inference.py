"""OSFormer's way from cells to instances against literal transcriptions and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from placement import discs, mean_offset
from torch import Tensor

from baselines.osformer import OSFormerConfig
from baselines.osformer.config import OSFormerInference
from baselines.osformer.head import DynamicInstanceNormalisation
from baselines.osformer.inference import instance_map, matrix_nms, paint, select, suppress_points
from baselines.osformer.losses import MASK_STRIDE
from pctrans.targets import build_targets


def blobs(size: int, *corners: tuple[int, int, int]) -> Tensor:
    """Soft masks, 0.9 in the square (top, left, side) and 0.1 elsewhere."""
    masks = torch.full((len(corners), size, size), 0.1)
    for mask, (top, left, side) in zip(masks, corners, strict=True):
        mask[top : top + side, left : left + side] = 0.9
    return masks


def test_a_cell_survives_if_none_above_or_left_is_higher() -> None:
    scores = torch.rand(5 * 5 + 3 * 3 + 1)
    found = suppress_points(scores, (5, 3, 1))
    start = 0
    for grid in (5, 3, 1):
        cells = scores[start : start + grid * grid].view(grid, grid)
        for row in range(grid):
            for column in range(grid):
                window = cells[max(row - 1, 0) : row + 1, max(column - 1, 0) : column + 1]
                expected = cells[row, column] if cells[row, column] >= window.max() else 0.0
                assert found[start + row * grid + column] == expected
        start += grid * grid


def literal_matrix_nms(masks: list[set[int]], scores: list[float], sigma: float) -> list[float]:
    def overlap(a: int, b: int) -> float:
        union = masks[a] | masks[b]
        return len(masks[a] & masks[b]) / len(union) if union else 0.0

    def f(x: float) -> float:
        return math.exp(-sigma * x * x)

    result = []
    for j, score in enumerate(scores):
        factors = [1.0]
        for i in range(j):
            compensation = f(max((overlap(k, i) for k in range(i)), default=0.0))
            factors.append(f(overlap(i, j)) / compensation)
        result.append(score * min(factors))
    return result


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_matrix_nms(count: int) -> None:
    torch.manual_seed(count)
    masks = torch.rand(count, 30) > 0.4
    scores = torch.rand(count).sort(descending=True).values
    found = matrix_nms(masks.float(), scores, 2.0)
    expected = literal_matrix_nms([set(m.nonzero().flatten().tolist()) for m in masks], scores.tolist(), 2.0)
    assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_selection_rescores_suppresses_and_caps() -> None:
    masks = blobs(16, (0, 0, 1), (2, 2, 6), (2, 2, 6), (9, 9, 5))
    config = OSFormerInference(min_area=16)
    kept, scores = select(masks, torch.tensor([1.0, 0.5, 0.8, 0.6]), config)
    # The first is too small (16 pixels); the second duplicates the third.
    assert kept.tolist() == [2, 3, 1]
    assert scores.tolist() == pytest.approx([0.72, 0.54, 0.45 * math.exp(-2)])
    capped, _ = select(masks, torch.tensor([1.0, 0.5, 0.8, 0.6]), config.model_copy(update={"max_instances": 1}))
    assert capped.tolist() == [2]
    strict, _ = select(masks, torch.tensor([1.0, 0.5, 0.8, 0.6]), config.model_copy(update={"keep_threshold": 0.5}))
    assert strict.tolist() == [2, 3]


def test_painting_gives_each_pixel_to_the_best() -> None:
    masks = blobs(16, (2, 2, 6), (6, 6, 8))
    labels, confidence = paint(masks, torch.tensor([0.9, 0.5]), OSFormerInference())
    assert labels.shape == (64, 64)
    assert confidence[labels == 1].unique().tolist() == pytest.approx([0.9])
    assert confidence[labels == 2].unique().tolist() == pytest.approx([0.5])
    assert labels[28, 28] == 1 and labels[40, 40] == 2 and labels[60, 10] == 0
    assert labels.unique().tolist() == [0, 1, 2]


def test_a_duplicate_leaves_no_fringe() -> None:
    masks = blobs(16, (4, 4, 8), (3, 3, 10))  # 36 cells of a hundred peep out behind the better one
    scores = torch.tensor([0.9, 0.1])
    assert paint(masks, scores, OSFormerInference())[0].max() == 1
    assert paint(masks, scores, OSFormerInference(visible_share=0.3))[0].max() == 2


def test_small_objects_are_dropped_and_the_rest_renumbered() -> None:
    masks = blobs(16, (0, 0, 1), (8, 8, 6))
    labels, _ = paint(masks, torch.tensor([0.9, 0.8]), OSFormerInference(min_area=16))
    assert labels.unique().tolist() == [0, 1]


def test_two_cells_become_two_instances() -> None:
    """The whole way, with a head whose weights are the identity: features are the masks' logits."""
    config = OSFormerConfig(grids=(4, 2, 2), mask_channels=2)
    head = DynamicInstanceNormalisation(2)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.weight.weight.copy_(torch.eye(2))
    features = torch.special.logit(blobs(16, (1, 1, 5), (9, 8, 6)))
    objectness, kernels = torch.full((24,), -5.0), torch.zeros(24, 2)
    objectness[[0, 10]] = 2.0
    kernels[0, 0] = kernels[10, 1] = 1.0
    labels, _ = instance_map(objectness, kernels, features, head, config)
    assert labels[16, 16] != labels[46, 46] and labels.unique().tolist() == [0, 1, 2]
    assert instance_map(torch.full((24,), -5.0), kernels, features, head, config)[0].max() == 0


def test_what_is_learned_is_found_where_it_is() -> None:
    """The best masks that a network can learn from discs anywhere, painted: no shift."""
    labels = discs(96)
    shares = build_targets(labels[None]).coverage(MASK_STRIDE)[0]
    found, _ = paint(shares, torch.ones(len(shares)), OSFormerInference())
    assert np.abs(mean_offset(labels, found)).max() < 0.1
