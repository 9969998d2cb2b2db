"""Several data sets as one: `union:FILE`, a text file that names a data set a line.

What one part tests or validates on is never trained on from another part: pictures are compared by content, as
`data check` does, so a copy under another name, size or bit depth counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.data.base import SPLITS, Dataset, StoredSample
from benchmarks.data.checking.copies import find_copies, picture_of
from benchmarks.data.decoding.limits import MAX_LIST_BYTES
from benchmarks.data.normalisation import RANGES, Range
from benchmarks.data.reading import read_bytes
from benchmarks.data.sample import Sample
from benchmarks.errors import UserError

_FORM = "expected two or more data sets, one a line, such as folder:nuclei; paths start at the file's folder"
_JOINT = " + "
_Place = tuple[Dataset, str]


class UnionDataset(Dataset):
    """The splits of several data sets, each joined with those of its kind.

    An id is the number of its part, from 1, and its id there. Of a picture that is there several times, one stays: that
    of the test split before that of the validation split before that for training; of equals that of the first part.
    Parts keep their own decoding and range of intensities.
    """

    def __init__(self, spec: str, name: str, parts: Sequence[Dataset]) -> None:
        """Raises: UserError: the parts do not fit together, or a sample cannot be used."""
        _check(spec, parts)
        self._parts = tuple(parts)
        self.protocol = parts[0].protocol
        # The range of each part that has another than the default is part of the fingerprint, as it is elsewhere.
        self.decoding = _JOINT.join(
            part.decoding + (f", {part.range}" if part.range != "min-max" else "") for part in parts
        )
        self.decodings = (self.decoding,)
        self.range = common_range(self.decoding)
        self._places: dict[str, _Place] = {}
        split_of: dict[str, str] = {}
        for number, part in enumerate(parts, 1):
            for split in SPLITS:
                for id in part.ids(split):
                    self._places[f"{number}-{id}"], split_of[f"{number}-{id}"] = (part, id), split
        dropped = _copies(self._places, split_of)
        kept = {split: [id for id, own in split_of.items() if own == split and id not in dropped] for split in SPLITS}
        for split in SPLITS:
            if not kept[split]:
                raise UserError(f"{spec}: no image is left for {split}: all are copies of images of other splits.")
        super().__init__(spec, name, kept)
        self.notes += [f"{part.name}: {note}" for part in parts for note in part.notes]
        self.notes += _told(dropped, split_of)

    @property
    def normalisation(self) -> str:
        """The rules of all parts."""
        return "; ".join(dict.fromkeys(part.normalisation for part, _ in self._places.values()))

    @property
    def parts(self) -> tuple[Dataset, ...]:
        return self._parts

    @property
    def _reading(self) -> str:
        return self.decoding  # which has the ranges

    def range_for(self, id: str) -> Range:
        part, own = self._places[id]
        return part.range_for(own)

    def load(self, id: str) -> Sample:
        """As `Dataset.load`; normalised as its part does."""
        if id not in self._members:
            raise UserError(f"{self.spec}: no image {id!r} in any split.")
        part, own = self._places[id]
        sample = replace(part.load(own), id=id)
        self.losses |= part.losses
        return sample

    def read(self, id: str) -> StoredSample:
        part, own = self._places[id]
        return part.read(own)

    def content_digest(self, id: str) -> str:
        part, own = self._places[id]
        return part.content_digest(own)


def open_union(spec: str, path: Path, open_part: Callable[[str, Path], Dataset]) -> UnionDataset:
    """Open the data sets that a file names.

    Args:
        open_part: opens a data set by its spec; paths in it start at the folder given.

    Raises:
        UserError: the file cannot be read or names too few, or a part cannot be opened.
    """
    try:
        text = read_bytes(path, MAX_LIST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} cannot be read as a list of data sets: {error}; {_FORM}.") from error
    lines = [line.strip() for line in text.splitlines()]
    specs = [line for line in lines if line and not line.startswith("#")]
    if len(specs) < 2:
        raise UserError(f"{path} names {len(specs)} data sets; {_FORM}.")
    if len(set(specs)) < len(specs):
        raise UserError(f"{path} names a data set twice; {_FORM}.")
    if nested := next((part for part in specs if part.startswith("union:")), None):
        raise UserError(f"{path}: {nested} is a union itself; name its parts instead.")
    return UnionDataset(spec, path.stem, [open_part(part, path.parent) for part in specs])


def common_range(decoding: str) -> Range | None:
    """Return the range that all parts of a union have, by its decoding; None where they differ."""
    found = {_range_of(part) for part in decoding.split(_JOINT)}
    return found.pop() if len(found) == 1 else None


def _range_of(part: str) -> Range:
    return next((range for range in RANGES if part.endswith(f", {range}")), "min-max")


def _check(spec: str, parts: Sequence[Dataset]) -> None:
    if len({part.protocol for part in parts}) > 1:
        protocols = ", ".join(f"{part.name}: {part.protocol}" for part in parts)
        raise UserError(f"{spec}: its parts have different protocols ({protocols}), so no crop would fit them all.")
    if without := next((part for part in parts if not part.has_test_split), None):
        raise UserError(f"{spec}: {without.name} has no test split with public truth; every part needs one.")


def _copies(places: dict[str, _Place], split_of: dict[str, str]) -> dict[str, str]:
    """Find the images to leave out, each with the one that stays."""
    rank = {id: (-SPLITS.index(split_of[id]), number) for number, id in enumerate(places)}
    pictures = [picture_of(part.load(own).image, id, id.partition("-")[0]) for id, (part, own) in places.items()]
    dropped: dict[str, str] = {}
    for copy in sorted(find_copies(pictures), key=lambda one: min(rank[one.first.name], rank[one.second.name])):
        stays, goes = sorted((copy.first.name, copy.second.name), key=rank.__getitem__)
        if stays not in dropped:
            dropped.setdefault(goes, stays)
    return dropped


def _told(dropped: dict[str, str], split_of: dict[str, str]) -> list[str]:
    if not dropped:
        return []
    first, stays = next(iter(dropped.items()))
    return [
        f"{len(dropped)} images are left out, as copies of images of other parts (the first: "
        f"{split_of[first]}/{first}, of {split_of[stays]}/{stays})"
    ]
