"""Datasets whose images and labels are two sources of files, matched by stem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from benchmarks.data.base import Dataset, StoredSample, digest_bytes
from benchmarks.data.reading import decode_image, decode_labels
from benchmarks.data.sources import Source


class PairedDataset(Dataset):
    """Images in one source, labels in another."""

    def __init__(
        self,
        spec: str,
        name: str,
        splits: Mapping[str, Iterable[str]],
        images: tuple[Source, Mapping[str, str]],
        labels: tuple[Source, Mapping[str, str]],
    ) -> None:
        """Args: images, labels: where the files are, and the file name of each id."""
        super().__init__(spec, name, splits)
        self._image_source, self._image_names = images
        self._label_source, self._label_names = labels

    def read(self, id: str) -> StoredSample:
        image_name = self._image_source.describe(self._image_names[id])
        image = decode_image(self._image_source.read(self._image_names[id]), image_name)
        label_name = self._label_source.describe(self._label_names[id])
        labels = self.decode_truth(self._label_source.read(self._label_names[id]), label_name)
        return StoredSample(image, labels, image_name, label_name)

    def decode_truth(self, content: bytes, name: str) -> np.ndarray:
        """Instances (H, W) int32 from the bytes of a label file."""
        return decode_labels(content, name)

    def content_digest(self, id: str) -> str:
        image = self._image_source.read(self._image_names[id])
        return digest_bytes(image, self._label_source.read(self._label_names[id]))
