"""Label maps for the tests of StarDist and Cellpose: seeded ones, and BBBC039's where it is at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden.make_peer_targets import EVERY, dense_labels
from torch import Tensor

from benchmarks.data import open_dataset

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "peer_targets.json").read_text())
BBBC039 = Path(__file__).parents[3] / "shared" / "data" / "bbbc039"


def labels_of(case: dict[str, Any]) -> Tensor:
    """Return the label map (1, 96, 128) of a golden case."""
    return torch.from_numpy(dense_labels(case["seed"]).astype(np.int64))[None]


def golden_pixels(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows and columns of the pixels of a map (1, H, W) that golden numbers are of."""
    row, column = labels[0].nonzero()[::EVERY].T
    return row, column


def nuclei(count: int) -> list[Tensor]:
    """Return label maps (1, H, W) of the first test images of BBBC039V1."""
    if not BBBC039.is_dir():
        pytest.skip(f"needs BBBC039V1 in {BBBC039}")
    dataset = open_dataset(f"bbbc039:{BBBC039}")
    samples = [dataset.load(id).labels for id in dataset.ids("test")[:count]]
    return [torch.from_numpy(labels.astype(np.int64))[None] for labels in samples if labels is not None]


def object_ious(truth: Tensor, found: Tensor, least_area: int = 0) -> list[float]:
    """Compute the IoU of each object of more than so many pixels with the one that covers most of it, 0 with none."""
    values = []
    for number in truth.unique().tolist():
        mask = truth == number
        if number == 0 or mask.sum() <= least_area:
            continue
        covers = found[mask].bincount(minlength=2)
        covers[0] = 0
        other = (found == covers.argmax()) & (covers.max() > 0)
        values.append(((mask & other).sum() / (mask | other).sum()).item())
    return values
