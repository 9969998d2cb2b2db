"""The images that the scripts of this folder measure on."""

from __future__ import annotations

from typing import Literal

from benchmarks.data import Dataset
from benchmarks.data.sample import Sample


def labelled_samples(dataset: Dataset, split: Literal["val", "test"]) -> list[Sample]:
    """The images of a split that have objects, in its order."""
    samples = [dataset.load(id) for id in dataset.ids(split)]
    return [sample for sample in samples if sample.labels is not None and sample.labels.any()]
