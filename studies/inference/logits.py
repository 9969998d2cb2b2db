"""Mask logits of every tile of every image, stored once; label maps from them under any thresholds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.data import Dataset
from benchmarks.files import atomic_path
from benchmarks.prediction import segment_sample
from benchmarks.scoring import score_image
from benchmarks.settings import TestingSettings
from pctrans import PCTrans
from pctrans.config import InferenceConfig
from pctrans.inference import cluster_then_average
from pctrans.inspection import MASK_STRIDE

Progress = Callable[[int, int], None]
"""Called with images done and images in all."""


class LogitStore:
    """A folder of mask logits, half precision, an .npy file an image: (tiles, N, h, w), in the order of the tiles.

    Args:
        testing: how the model's job tests; `tile` is its tile's side.
    """

    def __init__(self, folder: Path, tile: int, testing: TestingSettings, precision: str):
        self.folder, self.tile, self.testing, self.precision = folder, tile, testing, precision

    def path(self, split: str, id: str) -> Path:
        return self.folder / split / f"{id}.npy"

    def missing(self, dataset: Dataset, split: str) -> list[str]:
        """Ids of a split without stored logits."""
        return [id for id in dataset.ids(split) if not self.path(split, id).exists()]

    def fill(self, model: PCTrans, dataset: Dataset, split: str, device: str, progress: Progress | None = None) -> None:
        """Run the network over the images of a split that are not stored yet."""
        ids = self.missing(dataset, split)
        for done, id in enumerate(ids, 1):
            tiles: list[np.ndarray] = []

            def keep(images: Tensor, tiles: list[np.ndarray] = tiles) -> Tensor:
                logits = model.inspect(images).mask_logits
                tiles.extend(logits.half().cpu().numpy())
                return torch.zeros(len(images), *images.shape[-2:], dtype=torch.long, device=images.device)

            segment_sample(_Function(keep), dataset.load(id).image, self.tile, self.testing, device, self.precision)
            with atomic_path(self.path(split, id)) as temporary:
                np.save(temporary, np.stack(tiles))
            if progress:
                progress(done, len(ids))

    def forget(self, split: str) -> None:
        """Give the space of a split back."""
        shutil.rmtree(self.folder / split, ignore_errors=True)

    def label_map(self, dataset: Dataset, split: str, id: str, config: InferenceConfig) -> np.ndarray:
        """(H, W) int32, as the job would make it with these thresholds, up to half precision."""
        tiles = iter(np.load(self.path(split, id), mmap_mode="r"))

        def replay(images: Tensor) -> Tensor:
            maps = []
            for _ in images:
                logits = torch.from_numpy(np.array(next(tiles)))
                size = (logits.shape[-2] * MASK_STRIDE, logits.shape[-1] * MASK_STRIDE)
                maps.append(cluster_then_average(logits, size, config))
            return torch.stack(maps)[:, : images.shape[-2], : images.shape[-1]]

        return segment_sample(_Function(replay), dataset.load(id).image, self.tile, self.testing, "cpu", "float32")

    def scores(
        self, dataset: Dataset, split: str, config: InferenceConfig, progress: Progress | None = None
    ) -> list[dict[str, float]]:
        """A row for each image of a split: id, counts and metrics."""
        rows = []
        ids = dataset.ids(split)
        for done, id in enumerate(ids, 1):
            truth = dataset.load(id).labels
            assert truth is not None, "a split that is scored has truth: the dataset was checked before"
            rows.append({"id": id, **score_image(truth, self.label_map(dataset, split, id, config))})
            if progress:
                progress(done, len(ids))
        return rows


class _Function:
    """A segmenter that is only a function from tiles to label maps."""

    def __init__(self, segment: Callable[[Tensor], Tensor]):
        self.segment = segment

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError("label maps from stored logits are not trained")
