"""Which JSON of a folder is of which split, by its name or by lists of images."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from benchmarks.data.annotations.coco import coco_labels
from benchmarks.data.annotations.contract import LabelRecord, LabelSet
from benchmarks.data.annotations.json_text import MAX_JSON_BYTES, parse_json
from benchmarks.data.base import SPLITS
from benchmarks.data.reading import IMAGE_SUFFIXES
from benchmarks.data.sources import FoldersSource, Source
from benchmarks.errors import UserError

LAYOUT = "expected images/ and annotations/instances_{train,val,test}.json, or JSON and splits/{train,val,test}.txt"
# Words of a name that say its split, such as instances_val2017.json.
_WORDS = {"train": {"train", "training"}, "val": {"val", "valid", "validation"}, "test": {"test", "testing"}}
# COCO's own files of objects, beside which lie captions and keypoints of the same images.
_OBJECTS = "instances"


def image_source(root: Path) -> Source:
    """Find the folders of images: images/ and those in it, or folders with the names of splits, such as train2017/.

    Raises:
        UserError: there are none.
    """
    if (root / "images").is_dir():
        inner = sorted(path.name for path in (root / "images").iterdir() if path.is_dir())
        return FoldersSource(root, ["images", *(f"images/{name}" for name in inner)], IMAGE_SUFFIXES)
    if folders := _split_folders(root):
        return FoldersSource(root, folders, IMAGE_SUFFIXES)
    raise UserError(f"{root}: has no folder images/, nor folders of the splits such as train/; {LAYOUT}.")


def annotation_source(root: Path) -> Source:
    """Find the JSON: in annotations/ where that is, else in the folder itself and in those of the splits."""
    if (root / "annotations").is_dir():
        return FoldersSource(root, ["annotations"], [".json"])
    return FoldersSource(root, ["", *_split_folders(root)], [".json"])


def _split_folders(root: Path) -> list[str]:
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; {LAYOUT}.")
    words = set().union(*_WORDS.values())
    return sorted(path.name for path in root.iterdir() if path.is_dir() and _words(path.name) & words)


def read_annotations(source: Source, name: str, categories: Collection[str]) -> LabelSet:
    """Read one COCO file of a folder.

    Raises:
        UserError: as `coco_labels`.
    """
    place = source.describe(name)
    return coco_labels(parse_json(source.read(name, MAX_JSON_BYTES), place), place, categories)


def files_by_split(source: Source) -> dict[str, str]:
    """Find the JSON of each split by its name.

    Raises:
        UserError: a split has none, or several that are equally good.
    """
    found: dict[str, str] = {}
    for split in SPLITS:
        of_split = [name for name in source.names if _words(name) & _WORDS[split]]
        objects = [name for name in of_split if _OBJECTS in _words(name)]
        chosen = objects or of_split
        if len(chosen) != 1:
            listed = ", ".join(chosen or source.names) or "there is no JSON"
            raise UserError(
                f"{source.label}: {len(chosen)} JSON files are of the split {split!r} by their names ({listed}); "
                f"expected one such as instances_{split}.json. Or list the images of each split in splits/train.txt, "
                "splits/val.txt and splits/test.txt."
            )
        found[split] = chosen[0]
    if len(set(found.values())) < len(SPLITS):
        raise UserError(f"{source.label}: one file has the names of several splits: {', '.join(found.values())}.")
    return found


def merged(parts: Mapping[str, LabelSet]) -> LabelSet:
    """Put the images of several files together.

    Raises:
        UserError: an image is in two of them.
    """
    records: dict[str, LabelRecord] = {}
    for part in parts.values():
        for stem, record in part.records.items():
            if stem in records:
                raise UserError(
                    f"{record.name}: {records[stem].name} is of the same image {stem!r}; an image has one truth and "
                    "is in one split. Images are known by their stem: rename one, or remove it from one file."
                )
            records[stem] = record
    label = ", ".join(part.label for part in parts.values())
    return LabelSet(label, records, [note for part in parts.values() for note in part.notes])


def _words(name: str) -> set[str]:
    return set(re.findall("[a-z]+", name.lower().removesuffix(".json")))
