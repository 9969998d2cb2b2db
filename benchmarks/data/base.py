"""The base of every dataset: named splits of samples, checked as they are read, with a fingerprint."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.data.annotations.contract import NOTHING_LOST, Losses
from benchmarks.data.cache import SampleCache
from benchmarks.data.normalisation import Range, normalise
from benchmarks.data.sample import Sample
from benchmarks.errors import UserError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class StoredSample:
    """One sample as stored, before normalisation.

    Attributes:
        image: (H, W) or (H, W, 3), in the file's own type.
        labels: (H, W) int32, or None where no truth is public.
        image_name, label_name: what to call the two in errors.
        turned: orientation tags of the two files, 1 where they have none; both arrays are upright already.
        odd_pixels: pixels whose channels differed in the file, where the image is grey all the same.
        digest: the `content_digest` of what was decoded; None where it cannot have changed since.
        losses: what the file of the labels says of its objects that a label map cannot hold.
    """

    image: np.ndarray
    labels: np.ndarray | None
    image_name: str
    label_name: str
    turned: tuple[int, int] = (1, 1)
    odd_pixels: int = 0
    digest: str | None = None
    losses: Losses = NOTHING_LOST


class Dataset(ABC):
    """Images with instance labels in the splits train, val and test.

    Opening checks the layout and the membership of splits; `validate` reads everything.

    Attributes:
        spec: the spec as the user gave it.
        name: short name for tables and captions.
        decoding: how labels become instances; "ids" where the files hold ids.
        decodings: all decodings in use for this data.
        range: the limits that its images are stretched between; see `benchmarks.data.normalisation`. None: not all have
            the same, as in a union whose parts differ.
        evaluation_split: the split that results are computed on.
        protocol: "nuclei" or "leaves": the crop, augmentation and thresholds that fit.
        notes: what a user may want to know but is not an error.
        losses: of the samples read so far, by their labels, what a label map cannot hold, where that is anything.
    """

    decoding: str = "ids"
    decodings: tuple[str, ...] = ("ids",)
    range: Range | None = "min-max"
    evaluation_split: str = "test"
    protocol: str = "nuclei"

    def __init__(self, spec: str, name: str, splits: Mapping[str, Iterable[str]]) -> None:
        """Args: splits: ids of each split, in any order."""
        self.spec = spec
        self.name = name
        self.notes: list[str] = []
        self._splits = {split: tuple(sorted(splits[split])) for split in SPLITS}
        self._members = frozenset().union(*self._splits.values())
        self.losses: dict[str, Losses] = {}
        self._cache = SampleCache()
        self._digests: dict[str, str] = {}

    def ids(self, split: str) -> tuple[str, ...]:
        """List the ids of one split, sorted.

        Raises:
            UserError: no such split.
        """
        if split not in self._splits:
            raise UserError(f"no split {split!r}; expected one of {', '.join(SPLITS)}.")
        return self._splits[split]

    def keep_training_images(self, ids: Iterable[str], name: str) -> None:
        """Leave out the other training images, and take another name; for who opens the data set, before it is used."""
        self._splits["train"] = tuple(sorted(ids))
        self._members = frozenset().union(*self._splits.values())
        self.name = name

    def load(self, id: str) -> Sample:
        """Load sample `id`, checked, from memory if it was read before. Its arrays are read-only.

        Raises:
            UserError: the sample cannot be used; the message names the file, what was found and what was expected.
        """
        if id not in self._members:
            raise UserError(f"{self.spec}: no image {id!r} in any split.")
        return self._cache.get(id, self._read_checked)

    @property
    def has_test_split(self) -> bool:
        """Whether a model can be tested on images that had no part in choosing it."""
        return self.evaluation_split != "val"

    def validate(self) -> None:
        """Read every sample of every split.

        Raises:
            UserError: the first sample that cannot be used.
        """
        for split in SPLITS:
            for id in self.ids(split):
                self.load(id)

    @property
    @abstractmethod
    def normalisation(self) -> str:
        """The rule by which images are brought to [0, 1]."""

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 (hex) of what is read: decoding, range, ids of each split, content of each image and label.

        Content is the bytes of the files, or of the arrays where samples come from HDF5 or a generator. Neither the
        folder nor files outside the splits matter; saving the same pixels with other compression does. What is loaded
        later has to be what the fingerprint is of.

        Raises:
            UserError: a sample cannot be read, or is no longer what was loaded before.
        """
        digest = hashlib.sha256(self._reading.encode())
        for split in SPLITS:
            for id in self.ids(split):
                content = self._unchanged(id, self.content_digest(id))
                digest.update(f"\n{split}/{id} {content}".encode())
        return digest.hexdigest()

    @property
    def _reading(self) -> str:
        """How files become samples, as the fingerprint has it."""
        # "min-max" has no part in it, so that data sets keep what they had before there was another.
        return self.decoding if self.range == "min-max" else f"{self.decoding} range {self.range}"

    def range_for(self, id: str) -> Range:
        """The limits that image `id` is stretched between."""
        assert self.range is not None, "a data set whose images differ in it says each one's"
        return self.range

    @property
    def parts(self) -> tuple[Dataset, ...]:
        """The data sets that this one joins: itself, unless it is a union."""
        return (self,)

    def split_digest(self, split: str) -> str:
        """The SHA-256 (hex) of ids and content of one split, whatever the decoding, the range and the other splits.

        Raises:
            UserError: as `fingerprint`.
        """
        digest = hashlib.sha256()
        for id in self.ids(split):
            digest.update(f"\n{id} {self._unchanged(id, self.content_digest(id))}".encode())
        return digest.hexdigest()

    def provenance(self) -> str | None:
        """Say whether the files are those of the published data set; None where no sums of it are kept."""
        return None

    @abstractmethod
    def read(self, id: str) -> StoredSample:
        """Read and decode one sample, uncached.

        Raises:
            UserError: a file is missing, damaged, or not what it should be.
        """

    @abstractmethod
    def content_digest(self, id: str) -> str:
        """Return the hex digest of the content of one sample's image and label."""

    def _read_checked(self, id: str) -> Sample:
        stored = self.read(id)
        if stored.digest is not None:
            self._unchanged(id, stored.digest)
        if stored.losses:
            self.losses[stored.label_name] = stored.losses
        return to_sample(id, stored, self.range_for(id))

    def _unchanged(self, id: str, digest: str) -> str:
        """Return the digest of a sample's content, which has to be the same whenever it is read."""
        if self._digests.setdefault(id, digest) != digest:
            raise UserError(
                f"{self.spec}: the image {id!r} or its labels changed while they were used (SHA-256 {digest[:12]}…, "
                f"{self._digests[id][:12]}… before). Results would be of neither; run the command again on the data as "
                "they are now."
            )
        return digest


def to_sample(id: str, stored: StoredSample, range: Range = "min-max") -> Sample:
    """Normalise a stored sample and check that image and labels agree in size.

    Raises:
        UserError: the sizes differ, or the image holds values that are not finite.
    """
    image, labels = normalise(stored.image, stored.image_name, range), stored.labels
    if labels is not None:
        if labels.shape != image.shape[1:]:
            raise UserError(
                f"{stored.label_name}: {labels.shape[0]} x {labels.shape[1]} pixels (height x width), but "
                f"the image {stored.image_name} has {image.shape[1]} x {image.shape[2]}; sizes must agree."
            )
        labels.setflags(write=False)
    return Sample(id, image, labels)


def digest_bytes(*contents: bytes) -> str:
    """Return the SHA-256 (hex) of several byte strings, each told apart from the next."""
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def digest_arrays(*arrays: np.ndarray | None) -> str:
    """Return the SHA-256 (hex) of arrays: type, shape and content."""
    parts = []
    for array in arrays:
        parts.append(b"" if array is None else f"{array.dtype.str}{array.shape}".encode())
        parts.append(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return digest_bytes(*parts)


def check_splits(splits: Mapping[str, Iterable[str]], names: Mapping[str, str]) -> None:
    """Check that splits are not empty, list nothing twice and do not share samples.

    Args:
        splits: ids as listed.
        names: what to call each split's list in errors.

    Raises:
        UserError: one of these checks fails.
    """
    seen: dict[str, str] = {}
    for split, listed in splits.items():
        if not listed:
            raise UserError(f"{names[split]}: the split {split!r} is empty; expected at least one name, one a line.")
        for id in listed:
            if seen.get(id) == split:
                raise UserError(f"{names[split]}: {id!r} is listed twice; list each image once.")
            if id in seen:
                raise UserError(
                    f"{names[split]}: {id!r} is also in {names[seen[id]]}; an image in two splits leaks "
                    "truth into the evaluation. Keep it in one."
                )
            seen[id] = split
