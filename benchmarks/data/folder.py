"""Any data in a folder with images/, labels/ and splits/{train,val,test}.txt, which list stems."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.data.base import SPLITS, check_splits
from benchmarks.data.components import split_components
from benchmarks.data.decoding.raster import Raster
from benchmarks.data.normalisation import checked_range, normalisation_rule
from benchmarks.data.paired import PairedDataset
from benchmarks.data.reading import IMAGE_SUFFIXES, SUFFIXES, decode_image
from benchmarks.data.sources import FolderSource, match, read_split
from benchmarks.errors import UserError

DECODINGS = ("ids", "components")

_LAYOUT = "expected a folder with images/, labels/ and splits/train.txt, splits/val.txt, splits/test.txt"


class FolderDataset(PairedDataset):
    """PNG, TIFF or JPEG images with label maps (0 background, one id for each instance), matched by stem.

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
        image_names, label_names = images.by_stem(IMAGE_SUFFIXES), labels.by_stem(SUFFIXES)
        for split in SPLITS:
            match(splits[split], image_names, names[split], images.label, "image")
            match(splits[split], label_names, names[split], labels.label, "label image")
        super().__init__(spec, root.resolve().name, splits, (images, image_names), (labels, label_names))

    def decode_truth(self, raster: Raster, name: str) -> np.ndarray:
        labels = super().decode_truth(raster, name)
        return split_components(labels) if self.decoding == "components" else labels

    @cached_property
    def normalisation(self) -> str:
        """The rules that apply to the images, all of which are read to find out."""
        rules = set()
        for split in SPLITS:
            for id in self.ids(split):
                name = self._image_names[id]
                array = decode_image(self._image_source.read(name), self._image_source.describe(name))
                rules.add(normalisation_rule(array, self.range))
        return "; ".join(sorted(rules))
