"""Datasets whose images and labels are two sources of files, matched by stem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from benchmarks.data.base import Dataset, StoredSample, digest_bytes
from benchmarks.data.decoding.files import decode
from benchmarks.data.decoding.raster import Raster, to_image, to_indices
from benchmarks.data.normalisation import grey_if_equal
from benchmarks.data.reading import as_labels
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
        self._note_what_is_left_out()

    def _note_what_is_left_out(self) -> None:
        unused = sorted(name for id, name in self._image_names.items() if id not in self._members)
        if unused:
            self.notes.append(f"{len(unused)} images are in no split and are not used (the first: {unused[0]})")
        for source, used in ((self._image_source, self._image_names), (self._label_source, self._label_names)):
            if unread := sorted(set(source.names) - set(used.values())):
                self.notes.append(
                    f"{source.label}: {len(unread)} files are of no format that is read there (the first: {unread[0]})"
                )

    def read(self, id: str) -> StoredSample:
        image_name = self._image_source.describe(self._image_names[id])
        label_name = self._label_source.describe(self._label_names[id])
        contents = self._contents(id)
        image, truth = decode(contents[0], image_name), decode(contents[1], label_name)
        turned = (image.orientation, truth.orientation)
        labels = self.decode_truth(truth, label_name)
        colours = to_image(image, image_name)
        picture, digest = grey_if_equal(colours), digest_bytes(*contents)
        odd = _odd_pixels(colours, picture)
        return StoredSample(picture, labels, image_name, label_name, turned, odd, digest)

    def decode_truth(self, raster: Raster, name: str) -> np.ndarray:
        """Turn a decoded label file into instances (H, W) int32."""
        return as_labels(to_indices(raster, name), name, ignore=True)

    def content_digest(self, id: str) -> str:
        return digest_bytes(*self._contents(id))

    def _contents(self, id: str) -> tuple[bytes, bytes]:
        """Read the bytes of the image and of its labels."""
        image = self._image_source.read(self._image_names[id])
        return image, self._label_source.read(self._label_names[id])


def _odd_pixels(colours: np.ndarray, picture: np.ndarray) -> int:
    """Count the pixels of a grey picture that was saved in colour whose channels are not equal."""
    if colours.ndim == picture.ndim:
        return 0
    return int(np.count_nonzero((colours != picture[..., None]).any(axis=2)))
