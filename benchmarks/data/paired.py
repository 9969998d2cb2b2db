"""Datasets whose images and labels are two sources of files, matched by stem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.data.annotations.contract import LabelMap, LabelSet, Size
from benchmarks.data.base import SPLITS, Dataset, StoredSample, digest_bytes
from benchmarks.data.decoding.files import decode
from benchmarks.data.decoding.raster import to_image
from benchmarks.data.normalisation import grey_if_equal, normalisation_rule
from benchmarks.data.reading import decode_image
from benchmarks.data.sources import Source, unread_note

_LOSSY = (".jpg", ".jpeg")


class PairedDataset(Dataset):
    """A dataset with its images in one source and its labels in another."""

    def __init__(
        self,
        spec: str,
        name: str,
        splits: Mapping[str, Iterable[str]],
        images: tuple[Source, Mapping[str, str]],
        labels: LabelSet,
    ) -> None:
        """Args: images: where the files are, and the file name of each id. labels: those of each id."""
        super().__init__(spec, name, splits)
        self._image_source, self._image_names = images
        self._labels = labels.records
        self._note_files()
        if labels.unread:
            self.notes.append(unread_note(labels.label, labels.unread))
        self.notes += labels.notes

    def _note_files(self) -> None:
        unused = sorted(name for id, name in self._image_names.items() if id not in self._members)
        if unused:
            self.notes.append(f"{len(unused)} images are in no split and are not used (the first: {unused[0]})")
        if unread := sorted(set(self._image_source.names) - set(self._image_names.values())):
            self.notes.append(unread_note(self._image_source.label, unread))
        used = (name for id, name in sorted(self._image_names.items()) if id in self._members)
        if lossy := [name for name in used if Path(name).suffix.lower() in _LOSSY]:
            self.notes.append(
                f"{len(lossy)} images are JPEG, which changes pixels to save room (the first: {lossy[0]}); where the "
                "originals are at hand, use them"
            )

    def read(self, id: str) -> StoredSample:
        image_name = self._image_source.describe(self._image_names[id])
        contents = self._contents(id)
        image = decode(contents[0], image_name)
        colours = to_image(image, image_name)
        picture, digest = grey_if_equal(colours), digest_bytes(*contents)
        truth = self.decode_truth(id, contents[1], (picture.shape[0], picture.shape[1]))
        return StoredSample(
            picture,
            truth.labels,
            image_name,
            self._labels[id].name,
            turned=(image.orientation, truth.orientation),
            odd_pixels=_odd_pixels(colours, picture),
            digest=digest,
            losses=truth.losses,
        )

    def decode_truth(self, id: str, content: bytes, size: Size) -> LabelMap:
        """Turn the labels of an image into instances.

        Args:
            content: the bytes of the labels.
            size: of the image.
        """
        return self._labels[id].decode(content, size, ignore=True)

    @cached_property
    def normalisation(self) -> str:
        """The rules that apply to the images, all of which are read to find out."""
        rules = set()
        for split in SPLITS:
            for id in self.ids(split):
                name = self._image_names[id]
                array = decode_image(self._image_source.read(name), self._image_source.describe(name))
                rules.add(normalisation_rule(array, self.range_for(id)))
        return "; ".join(sorted(rules))

    def content_digest(self, id: str) -> str:
        return digest_bytes(*self._contents(id))

    def _contents(self, id: str) -> tuple[bytes, bytes]:
        """Read the bytes of the image and of its labels."""
        image = self._image_source.read(self._image_names[id])
        return image, self._labels[id].content()


def _odd_pixels(colours: np.ndarray, picture: np.ndarray) -> int:
    """Count the pixels of a grey picture that was saved in colour whose channels are not equal."""
    if colours.ndim == picture.ndim:
        return 0
    return int(np.count_nonzero((colours != picture[..., None]).any(axis=2)))
