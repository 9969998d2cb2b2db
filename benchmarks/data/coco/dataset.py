"""Images and their annotations as COCO's JSON, as COCO itself and those who follow it lay them out."""

from __future__ import annotations

from pathlib import Path

from benchmarks.data.annotations.contract import LabelSet
from benchmarks.data.base import SPLITS, check_splits
from benchmarks.data.coco.layout import (
    LAYOUT,
    annotation_source,
    files_by_split,
    image_source,
    merged,
    read_annotations,
)
from benchmarks.data.normalisation import checked_range
from benchmarks.data.paired import PairedDataset
from benchmarks.data.reading import IMAGE_SUFFIXES
from benchmarks.data.sources import FolderSource, Source, match, read_split
from benchmarks.errors import UserError


class CocoDataset(PairedDataset):
    """PNG, TIFF or JPEG images with COCO annotations (polygons, run lengths), matched by the stem of `file_name`.

    Images lie in images/ or in folders of the splits (train2017/, valid/), the JSON in annotations/, in the folder
    itself or beside the images. With splits/ the lists say which images are used and all JSON is read; without, each
    split has a JSON of its name, and all of its images are used.

    Options of the spec: `category=NAME`, or several with commas, are the objects, of all categories without it;
    `range=robust` as for `folder:`.
    """

    def __init__(self, spec: str, root: Path, category: str = "", range: str = "min-max") -> None:
        """Raises: UserError: the layout, the splits or the annotations are not as expected."""
        self.range = checked_range(range, spec)
        images, annotations = image_source(root), annotation_source(root)
        categories = [name.strip() for name in category.split(",") if name.strip()]
        if (root / "splits").is_dir():
            splits, names, labels = _by_list(FolderSource(root / "splits"), annotations, categories)
        else:
            splits, names, labels = _by_file(annotations, categories)
        check_splits(splits, names)
        image_names = images.by_stem(IMAGE_SUFFIXES)
        for split in SPLITS:
            match(splits[split], labels.records, names[split], annotations.label, "annotated image")
            match(splits[split], image_names, names[split], images.label, "image")
        super().__init__(spec, root.resolve().name, splits, (images, image_names), labels)


_Parts = tuple[dict[str, list[str]], dict[str, str], LabelSet]


def _by_list(lists: Source, annotations: Source, categories: list[str]) -> _Parts:
    splits = {split: read_split(lists, f"{split}.txt") for split in SPLITS}
    if not annotations.names:
        raise UserError(f"{annotations.label}: holds no JSON; {LAYOUT}.")
    labels = merged({name: read_annotations(annotations, name, categories) for name in annotations.names})
    return splits, {split: lists.describe(f"{split}.txt") for split in SPLITS}, labels


def _by_file(annotations: Source, categories: list[str]) -> _Parts:
    files = files_by_split(annotations)
    parts = {split: read_annotations(annotations, name, categories) for split, name in files.items()}
    names = {split: annotations.describe(name) for split, name in files.items()}
    return {split: [*part.records] for split, part in parts.items()}, names, merged(parts)
