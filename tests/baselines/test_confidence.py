"""What the confidence of each peer is, from its network's output alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import RECIPES
from torch import Tensor

from benchmarks.plan.methods import METHODS

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.rand(2, 3, 40, 52, generator=GENERATOR)


def tiny(name: str, **inference: Any) -> Any:
    torch.manual_seed(0)
    config = RECIPES[name].config
    return METHODS[name].build(config | {"inference": {**config.get("inference", {}), **inference}}).eval()


def enlarged(cells: Tensor, stride: int, row: int, column: int) -> float:
    """A map of cells (h, w), interpolated at a pixel: cells sit at the middle of their pixels, the edge goes on."""
    value = 0.0
    y, x = ((place + 0.5) / stride - 0.5 for place in (row, column))
    for top in (int(y // 1), int(y // 1) + 1):
        for left in (int(x // 1), int(x // 1) + 1):
            inside = cells[min(max(top, 0), cells.shape[0] - 1), min(max(left, 0), cells.shape[1] - 1)]
            value += float(inside) * (1 - abs(y - top)) * (1 - abs(x - left))
    return value


@pytest.mark.parametrize("name", ["cellpose", "discriminative"])
def test_methods_of_pixels_give_the_probability_of_foreground(name: str) -> None:
    model = tiny(name)
    logits = model.evidence(IMAGES)[-1]
    _, confidence = model.segment_with_confidence(IMAGES)
    for row, column in ((0, 0), (3, 17), (20, 31), (39, 51)):
        value = enlarged(logits[1], model.config.stride, row, column)
        assert confidence[1, row, column].item() == pytest.approx(1 / (1 + 2.718281828459045**-value), abs=1e-5)


def test_stardist_gives_the_probability_of_the_polygon_s_own_cell() -> None:
    """Every polygon of one pixel's radius, none overlapping much: each pixel's best is its own or a neighbour's."""
    model = tiny("stardist", probability_threshold=0.0, min_area=0)
    stride, half = model.config.stride, model.config.stride // 2
    logits, distances = model.evidence(IMAGES)
    probability = logits.sigmoid()
    maps, confidence = model.segment_with_confidence(IMAGES)
    assert torch.equal(maps, model.decide((logits, distances), (40, 52), model.config.inference))
    seen = 0
    for image in range(2):
        cells = {round(value, 6) for value in probability[image].flatten().tolist()}
        for id in range(1, int(maps[image].max()) + 1):
            values = {round(value, 6) for value in confidence[image][maps[image] == id].tolist()}
            assert len(values) == 1 and values <= cells
            seen += 1
        row, column = divmod(int(probability[image].argmax()), probability.shape[2])
        best = confidence[image, stride * row + half, stride * column + half]
        assert best.item() == pytest.approx(probability[image].max().item())  # nothing is painted over it
    assert seen > 4
