"""Images in images/, their annotations as COCO's JSON in annotations/ or beside them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.data.annotations.contract import LabelSet
from benchmarks.data.base import SPLITS, check_splits
from benchmarks.data.coco.layout import files_by_split, merged, read_annotations
from benchmarks.data.normalisation import checked_range
from benchmarks.data.paired import PairedDataset
from benchmarks.data.reading import IMAGE_SUFFIXES
from benchmarks.data.sources import FolderSource, match, read_split
from benchmarks.errors import UserError

_LAYOUT = (
    "expected images/ and annotations/instances_{train,val,test}.json, or one JSON and splits/{train,val,test}.txt"
)


class CocoDataset(PairedDataset):
    """PNG, TIFF or JPEG images with COCO annotations (polygons, run lengths), matched by the stem of `file_name`.

    The JSON lies in annotations/ or in the folder itself. With splits/ the lists say which images are used and all JSON
    is read; without, each split has a JSON of its name, and all of its images are used.

    Options of the spec: `category=NAME`, or several with commas, are the objects, of all categories without it;
    `range=robust` as for `folder:`.
    """

    def __init__(self, spec: str, root: Path, category: str = "", range: str = "min-max") -> None:
        """Raises: UserError: the layout, the splits or the annotations are not as expected."""
        self.range = checked_range(range, spec)
        if not (root / "images").is_dir():
            raise UserError(f"{root}: has no folder images/; {_LAYOUT}.")
        images = FolderSource(root / "images")
        annotations = FolderSource(root / "annotations" if (root / "annotations").is_dir() else root)
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


def _by_list(lists: FolderSource, annotations: FolderSource, categories: list[str]) -> _Parts:
    splits = {split: read_split(lists, f"{split}.txt") for split in SPLITS}
    files = [name for name in annotations.names if name.lower().endswith(".json")]
    if not files:
        raise UserError(f"{annotations.label}: holds no JSON; {_LAYOUT}.")
    labels = merged({name: read_annotations(annotations, name, categories) for name in files})
    return splits, {split: lists.describe(f"{split}.txt") for split in SPLITS}, labels


def _by_file(annotations: FolderSource, categories: list[str]) -> _Parts:
    files = files_by_split(annotations)
    parts = {split: read_annotations(annotations, name, categories) for split, name in files.items()}
    names = {split: annotations.describe(name) for split, name in files.items()}
    return {split: [*part.records] for split, part in parts.items()}, names, merged(parts)
