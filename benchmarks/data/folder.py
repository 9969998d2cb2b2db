"""Any data in a folder with images/, labels/ and splits/{train,val,test}.txt, which list stems."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.data.annotations.contract import LabelMap, Size
from benchmarks.data.annotations.finding import find_labels
from benchmarks.data.base import SPLITS, check_splits
from benchmarks.data.components import split_components
from benchmarks.data.normalisation import checked_range
from benchmarks.data.paired import PairedDataset
from benchmarks.data.reading import IMAGE_SUFFIXES
from benchmarks.data.sources import FolderSource, match, read_split
from benchmarks.errors import UserError

DECODINGS = ("ids", "components")

_LAYOUT = "expected a folder with images/, labels/ and splits/train.txt, splits/val.txt, splits/test.txt"


class FolderDataset(PairedDataset):
    """PNG, TIFF or JPEG images with labels in any format that `benchmarks.data.annotations` reads, matched by stem.

    All three split files are required: validation watches the training and test gives the results, so neither
    is derived from the other. Files in no split are ignored.

    Options of the spec: `decoding=components` makes every connected component of equal id an instance, for 0/255 masks
    and colourings; `range=robust` stretches images between percentiles, for hot pixels.
    """

    def __init__(self, spec: str, root: Path, decoding: str = "ids", range: str = "min-max") -> None:
        """Raises: UserError: an unknown option, or the layout or the splits are not as expected."""
        if decoding not in DECODINGS:
            raise UserError(f"{spec}: no decoding {decoding!r} of a folder; expected {' or '.join(DECODINGS)}.")
        self.decoding, self.decodings = decoding, (decoding,)
        self.range = checked_range(range, spec)
        for part in ("images", "labels", "splits"):
            if not (root / part).is_dir():
                raise UserError(f"{root}: has no folder {part}/; {_LAYOUT}.")
        images, labels, lists = (FolderSource(root / part) for part in ("images", "labels", "splits"))
        names = {split: lists.describe(f"{split}.txt") for split in SPLITS}
        splits = {split: read_split(lists, f"{split}.txt") for split in SPLITS}
        check_splits(splits, names)
        image_names = images.by_stem(IMAGE_SUFFIXES)
        found = find_labels(labels, {id for listed in splits.values() for id in listed})
        for split in SPLITS:
            match(splits[split], image_names, names[split], images.label, "image")
            match(splits[split], found.records, names[split], labels.label, "label image")
        super().__init__(spec, root.resolve().name, splits, (images, image_names), found)

    def decode_truth(self, id: str, content: bytes, size: Size) -> LabelMap:
        truth = super().decode_truth(id, content, size)
        return replace(truth, labels=split_components(truth.labels)) if self.decoding == "components" else truth
