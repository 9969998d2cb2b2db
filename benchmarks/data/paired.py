"""Datasets whose images and labels are two sources of files, matched by stem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from benchmarks.data.base import Dataset, StoredSample, digest_bytes
from benchmarks.data.decoding.files import decode
from benchmarks.data.decoding.raster import Raster, to_indices
from benchmarks.data.reading import as_labels, shown
from benchmarks.data.sources import Source


class PairedDataset(Dataset):
    """A dataset with its images in one source and its labels in another."""

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
        label_name = self._label_source.describe(self._label_names[id])
        contents = self._contents(id)
        image, truth = decode(contents[0], image_name), decode(contents[1], label_name)
        turned = (image.orientation, truth.orientation)
        labels = self.decode_truth(truth, label_name)
        pixels = shown(image, image_name)
        return StoredSample(pixels, labels, image_name, label_name, turned, digest_bytes(*contents))

    def decode_truth(self, raster: Raster, name: str) -> np.ndarray:
        """Turn a decoded label file into instances (H, W) int32."""
        return as_labels(to_indices(raster, name), name)

    def content_digest(self, id: str) -> str:
        return digest_bytes(*self._contents(id))

    def _contents(self, id: str) -> tuple[bytes, bytes]:
        """Read the bytes of the image and of its labels."""
        image = self._image_source.read(self._image_names[id])
        return image, self._label_source.read(self._label_names[id])
