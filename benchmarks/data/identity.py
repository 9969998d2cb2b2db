"""Which data a model has seen, by content: what it keeps of its data set, or of the parts of a union."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.data.base import SPLITS, Dataset


@dataclass(frozen=True)
class PartIdentity:
    """A data set, alone or as part of a union, without the place where it lay.

    Attributes:
        name: for people.
        fingerprint: of the part alone.
        splits: for each split the `Dataset.split_digest`.
    """

    name: str
    fingerprint: str
    splits: Mapping[str, str]

    def __post_init__(self) -> None:
        """Raises: ValueError: a split is missing."""
        if missing := [split for split in SPLITS if split not in self.splits]:
            raise ValueError(f"the part {self.name} has no digest of the split {missing[0]}")


def identities_of_parts(dataset: Dataset) -> tuple[PartIdentity, ...]:
    """Read all parts of a union; any other data set is its own and only part.

    Raises:
        UserError: a sample cannot be read, or is no longer what was loaded before.
    """
    return tuple(
        PartIdentity(part.name, part.fingerprint, {split: part.split_digest(split) for split in SPLITS})
        for part in dataset.parts
    )
