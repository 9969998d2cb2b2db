"""What the network says of every tile of every image, stored once; label maps from it under any thresholds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.contract import Tunable
from benchmarks.data import Dataset
from benchmarks.files import atomic_path
from benchmarks.metrics.scoring import score_image
from benchmarks.plan.settings import TestingSettings
from benchmarks.run.evidence import ImageEvidence, record_evidence, segment_evidence
from benchmarks.training.watcher import ImageProgress


class EvidenceStore:
    """A folder of a method's evidence, half precision, an .npz file an image; see `ImageEvidence`.

    Args:
        model: gives the model that decides, on the CPU.
        testing: how the model's job tests; `tile` is its tile's side.
    """

    def __init__(self, folder: Path, model: Callable[[], Tunable], tile: int, testing: TestingSettings, precision: str):
        self.folder, self.model = folder, model
        self.tile, self.testing, self.precision = tile, testing, precision

    def path(self, split: str, id: str) -> Path:
        return self.folder / split / f"{id}.npz"

    def missing(self, dataset: Dataset, split: str) -> list[str]:
        """Ids of a split that nothing is stored of."""
        return [id for id in dataset.ids(split) if not self.path(split, id).exists()]

    def fill(
        self, model: Tunable, dataset: Dataset, split: str, device: str, progress: ImageProgress | None = None
    ) -> None:
        """Run the network over the images of a split that are not stored yet."""
        ids = self.missing(dataset, split)
        for done, id in enumerate(ids, 1):
            image = dataset.load(id).image
            evidence = record_evidence(model, image, self.tile, self.testing, device, self.precision)
            with atomic_path(self.path(split, id)) as temporary:
                np.savez(temporary, *(tensor.half().numpy() for tensor in evidence.tensors))
            if progress:
                progress(done, len(ids))

    def forget(self, split: str) -> None:
        """Give the space of a split back."""
        shutil.rmtree(self.folder / split, ignore_errors=True)

    def label_map(self, dataset: Dataset, split: str, id: str, inference: Any) -> np.ndarray:
        """(H, W) int32, as the job would make it with these thresholds, up to half precision."""
        with np.load(self.path(split, id)) as arrays:
            tensors = tuple(torch.from_numpy(arrays[name]).float() for name in arrays.files)
        height, width = dataset.load(id).image.shape[-2:]
        evidence = ImageEvidence(tensors, (height, width))
        return segment_evidence(self.model(), evidence, inference, self.tile, self.testing)

    def scores(
        self, dataset: Dataset, split: str, inference: Any, progress: ImageProgress | None = None
    ) -> list[dict[str, float]]:
        """A row for each image of a split: id, counts and metrics."""
        rows = []
        ids = dataset.ids(split)
        for done, id in enumerate(ids, 1):
            truth = dataset.load(id).labels
            assert truth is not None, "a split that is scored has truth: the dataset was checked before"
            rows.append({"id": id, **score_image(truth, self.label_map(dataset, split, id, inference))})
            if progress:
                progress(done, len(ids))
        return rows
