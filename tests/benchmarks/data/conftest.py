"""Small data sets written to disk in the layouts that the readers expect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SPLIT_OF = {"a": "train", "b": "train", "c.1": "val", "d": "test"}


def small_labels(seed: int, shape: tuple[int, int] = (20, 24)) -> np.ndarray:
    labels = np.zeros(shape, np.uint16)
    labels[2:8, 3:9], labels[10:18, 5:12], labels[4:9, 14:20] = 1, 300 + seed, 7
    return labels


def write_png(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A `folder:` data set of four grey images; stems may hold dots."""
    root = tmp_path / "cells"
    for seed, stem in enumerate(SPLIT_OF):
        image = np.random.default_rng(seed).integers(100, 4096, (20, 24)).astype(np.uint16)
        write_png(root / "images" / f"{stem}.png", image)
        write_png(root / "labels" / f"{stem}.png", small_labels(seed))
    (root / "splits").mkdir()
    for split in ("train", "val", "test"):
        stems = [stem for stem, own in SPLIT_OF.items() if own == split]
        (root / "splits" / f"{split}.txt").write_text("\n".join(stems))
    return root
