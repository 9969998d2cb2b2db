"""BBBC039V1: fluorescence nuclei of U2OS cells (Broad Bioimage Benchmark Collection; Caicedo et al. 2019).

Its masks are colourings of touching nuclei, not ids, so a decoding is part of the dataset:

- `pea`: 8-connected components of equal red value, components under 25 pixels dropped. This is PEA's decoding, which
  the paper follows.
- `official`: 4-connected components of equal red value, all kept (12001 / 5896 / 5720 instances).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage.measure import label

from benchmarks.data.annotations.contract import LabelMap, Size
from benchmarks.data.annotations.finding import raster_labels
from benchmarks.data.base import SPLITS, check_splits
from benchmarks.data.decoding.files import decode
from benchmarks.data.decoding.raster import to_indices
from benchmarks.data.normalisation import MIN_MAX
from benchmarks.data.official import compare, official_set
from benchmarks.data.paired import PairedDataset
from benchmarks.data.reading import SUFFIXES
from benchmarks.data.sources import folder_or_zip, match, read_split
from benchmarks.errors import UserError

DECODINGS = ("pea", "official")
MIN_PIXELS_PEA = 25

_SPLIT_FILES = {"train": "training.txt", "val": "validation.txt", "test": "test.txt"}


class BBBC039(PairedDataset):
    """BBBC039 in the folders images/, masks/ and metadata/ as extracted, or in the zips as downloaded, or a mix."""

    normalisation = MIN_MAX
    decodings = DECODINGS

    def __init__(self, spec: str, root: Path, decoding: str = "pea") -> None:
        """Raises: UserError: an unknown decoding, or the layout or the splits are not as expected."""
        if decoding not in DECODINGS:
            raise UserError(f"{spec}: no decoding {decoding!r} of BBBC039; expected {' or '.join(DECODINGS)}.")
        if not root.is_dir():
            raise UserError(f"{root}: no such folder; {spec!r} must name the folder that holds BBBC039.")
        images, masks, lists = (folder_or_zip(root, part, f"{part}.zip") for part in ("images", "masks", "metadata"))
        names = {split: lists.describe(_SPLIT_FILES[split]) for split in SPLITS}
        splits = {split: read_split(lists, _SPLIT_FILES[split]) for split in SPLITS}
        check_splits(splits, names)
        image_names, mask_names = images.by_stem(SUFFIXES), masks.by_stem(SUFFIXES)
        for split in SPLITS:
            match(splits[split], image_names, names[split], images.label, "image")
            match(splits[split], mask_names, names[split], masks.label, "mask")
        self.decoding = decoding
        labels = raster_labels(masks, mask_names, self._read_mask)
        super().__init__(spec, "bbbc039", splits, (images, image_names), labels)
        self._sources = {"images": images, "masks": masks, "metadata": lists}

    def provenance(self) -> str:
        return compare(official_set("bbbc039"), self._sources).describe()

    def _read_mask(self, content: bytes, name: str, size: Size | None, ignore: bool) -> LabelMap:
        raster = decode(content, name)
        mask = to_indices(raster, name)
        if mask.dtype.kind not in "bui":
            raise UserError(f"{name}: a mask of type {mask.dtype}; expected the PNG masks of BBBC039.")
        labels = decode_mask(mask[..., 0] if mask.ndim == 3 else mask, self.decoding)
        return LabelMap(labels, orientation=raster.orientation)


def decode_mask(red: np.ndarray, decoding: str) -> np.ndarray:
    """Find the instances of a BBBC039 mask.

    Args:
        red: (H, W), the red channel; 0 is background.
        decoding: "pea" or "official".

    Returns:
        (H, W) int32, ids 1..K.
    """
    if decoding == "official":
        return label(red, background=0, connectivity=1).astype(np.int32)
    components = label(red, background=0, connectivity=2)
    kept = np.bincount(components.ravel()) >= MIN_PIXELS_PEA
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[components]
