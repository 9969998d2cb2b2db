"""OSFormer's losses against literal transcriptions."""

from __future__ import annotations

import math

import pytest
import torch

from baselines.osformer import OSFormerConfig
from baselines.osformer.head import DynamicInstanceNormalisation
from baselines.osformer.losses import (
    build_osformer_targets,
    edge_loss,
    location_loss,
    mask_loss,
    squared_dice_loss,
)

CONFIG = OSFormerConfig(grids=(8, 6, 4), mask_channels=6)
EDGE_SHAPES = [(4, 4), (8, 8), (16, 16)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def literal_dice(logits: list[float], truth: list[float]) -> float:
    soft = [sigmoid(x) for x in logits]
    overlap = sum(p * t for p, t in zip(soft, truth, strict=True))
    return 1 - (2 * overlap + 1) / (sum(p * p for p in soft) + sum(t * t for t in truth) + 1)


def two_labelled_images() -> torch.Tensor:
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    labels[0, 4:20, 8:24], labels[0, 30:60, 20:60], labels[0, 25:27, 3:4] = 9, 4, 2  # 2 has no centre of a 1/4 cell
    labels[1, 10:22, 40:60] = 3
    return labels


def test_squared_dice() -> None:
    logits, truth = torch.randn(3, 20), (torch.rand(3, 20) > 0.5).float()
    for row, value in enumerate(squared_dice_loss(logits, truth).tolist()):
        assert value == pytest.approx(literal_dice(logits[row].tolist(), truth[row].tolist()), abs=1e-6)
    assert squared_dice_loss(100 * (truth - 0.5), truth).abs().max() < 1e-6


def test_location_loss_is_focal() -> None:
    logits, cells = torch.randn(2, 7), torch.tensor([[0, 3, 0, 0, 1, 1, 0], [0] * 7])
    expected = 0.0
    for x, cell in zip(logits.flatten().tolist(), cells.flatten().tolist(), strict=True):
        p = sigmoid(x)
        expected -= 0.25 * (1 - p) ** 2 * math.log(p) if cell else 0.75 * p**2 * math.log(1 - p)
    assert location_loss(logits, cells).item() == pytest.approx(expected / 3, rel=1e-5)


def test_mask_loss_averages_the_dice_of_the_positive_cells() -> None:
    torch.manual_seed(0)
    targets = build_osformer_targets(two_labelled_images(), EDGE_SHAPES, CONFIG)
    labels = targets.instances.labels
    head = DynamicInstanceNormalisation(6)
    kernels, features = torch.randn(2, targets.cells.shape[1], 6), torch.randn(2, 6, 16, 16)
    losses, partial = [], 0
    for image in range(2):
        for cell, label in enumerate(targets.cells[image].tolist()):
            if not label:
                continue
            inside = labels[image] == label
            truth = [
                inside[4 * r : 4 * r + 4, 4 * c : 4 * c + 4].float().mean().item() for r in range(16) for c in range(16)
            ]
            partial += any(0 < share < 1 for share in truth)
            weight, bias = head.weight(kernels[image, cell]), head.bias(kernels[image, cell])
            logits = [(weight @ features[image, :, r, c] + bias).item() for r in range(16) for c in range(16)]
            losses.append(literal_dice(logits, truth))
    assert partial and len(losses) > 3
    expected = sum(losses) / len(losses)
    assert mask_loss(kernels, features, targets, head).item() == pytest.approx(expected, rel=1e-4)


def test_edge_loss_sums_the_levels() -> None:
    targets = build_osformer_targets(two_labelled_images(), EDGE_SHAPES, CONFIG)
    logits = [torch.randn(2, *shape) for shape in EDGE_SHAPES]
    expected = 0.0
    for level, truth in zip(logits, targets.edges, strict=True):
        for image in range(2):
            expected += literal_dice(level[image].flatten().tolist(), truth[image].flatten().tolist()) / 2
    assert edge_loss(logits, targets).item() == pytest.approx(expected, rel=1e-4)


def test_without_instances_there_is_no_mask_loss() -> None:
    targets = build_osformer_targets(torch.zeros(1, 64, 64, dtype=torch.long), EDGE_SHAPES, CONFIG)
    kernels, features = torch.randn(1, 116, 6), torch.randn(1, 6, 16, 16)
    assert mask_loss(kernels, features, targets, DynamicInstanceNormalisation(6)).item() == 0
