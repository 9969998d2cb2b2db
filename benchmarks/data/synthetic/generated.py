"""The base of generated datasets, which have the same bytes for the same options on every run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from benchmarks.data.base import SPLITS, Dataset, StoredSample, digest_arrays
from benchmarks.errors import UserError

# Smallest and largest value of each option.
_RANGES = {
    "size": (64, 2048),
    "train": (1, 10_000),
    "val": (1, 10_000),
    "test": (1, 10_000),
    "seed": (0, 2**32 - 1),
}


class SyntheticDataset(Dataset):
    """A dataset whose images are each drawn from a random stream of the seed, the split and the image's number.

    So a longer split begins with the images of a shorter one, and any image can be drawn alone. The options of a spec
    are size (pixels, height and width), train, val, test (numbers of images) and seed.
    """

    defaults: ClassVar[Mapping[str, int]]

    def __init__(self, spec: str, options: Mapping[str, str]) -> None:
        """Raises: UserError: an unknown option or a value out of its range."""
        values = {**self.defaults, **{name: _whole(spec, name, text) for name, text in options.items()}}
        self.size, self.seed = values["size"], values["seed"]
        splits = {split: [f"{split}-{index:04d}" for index in range(values[split])] for split in SPLITS}
        super().__init__(spec, spec.partition("?")[0], splits)

    @abstractmethod
    def draw(self, rng: np.random.Generator, empty: bool) -> tuple[np.ndarray, np.ndarray]:
        """Draw one image as a camera would store it, and its labels (size, size) int32.

        Args:
            rng: the image's own random stream.
            empty: whether to draw a field of view without any object.
        """

    def is_empty(self, split: str, index: int) -> bool:
        """Tell whether an image of a split has no object."""
        return False

    def read(self, id: str) -> StoredSample:
        split, _, number = id.partition("-")
        rng = np.random.default_rng([self.seed, SPLITS.index(split), int(number)])
        image, labels = self.draw(rng, self.is_empty(split, int(number)))
        return StoredSample(image, labels, f"{self.spec}/{id}", f"{self.spec}/{id} (labels)")

    def content_digest(self, id: str) -> str:
        sample = self.load(id)
        return digest_arrays(sample.image, sample.labels)


def _whole(spec: str, name: str, text: str) -> int:
    if name not in _RANGES:
        raise UserError(f"{spec}: no option {name!r}; expected {', '.join(_RANGES)}.")
    low, high = _RANGES[name]
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise UserError(f"{spec}: {name} is {text!r}; expected a whole number from {low} to {high}.")
    return int(text)
