"""The images that the scripts of this folder measure on, and a model as they ask it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from benchmarks.data import Dataset
from benchmarks.data.sample import Sample
from benchmarks.run.prediction import Labelled, segment_with_scores
from benchmarks.store.models.saved_model import SavedModel


def labelled_samples(dataset: Dataset, split: Literal["val", "test"]) -> list[Sample]:
    """The images of a split that have objects, in its order."""
    samples = [dataset.load(id) for id in dataset.ids(split)]
    return [sample for sample in samples if sample.labels is not None and sample.labels.any()]


def segmenting(saved: SavedModel) -> Callable[[np.ndarray], Labelled]:
    """How a saved model segments an image on the CPU, as it was tested."""

    def segment(image: np.ndarray) -> Labelled:
        return segment_with_scores(saved.segmenter, image, saved.tile, saved.testing, "cpu", saved.precision)

    return segment
