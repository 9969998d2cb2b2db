"""COCO's JSON: images, and annotations of each by polygons or run lengths."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from benchmarks.data.annotations.contract import LabelMap, LabelRecord, LabelSet, Size, known_size
from benchmarks.data.annotations.json_text import describe, listed, mapped, parse_json
from benchmarks.data.annotations.painting import Painter
from benchmarks.data.annotations.polygons import Region, fill, ring
from benchmarks.data.annotations.rle import read_rle
from benchmarks.data.reading import stem_of
from benchmarks.errors import UserError


def is_coco(document: Any) -> bool:
    """Whether parsed JSON has the lists of a COCO file."""
    return isinstance(document, dict) and "images" in document and "annotations" in document


def coco_labels(document: Any, name: str, categories: Collection[str] = ()) -> LabelSet:
    """Sort the annotations of a COCO file by image.

    Args:
        document: the parsed JSON.
        name: of the file, for errors.
        categories: names of those that are objects; all where it is empty.

    Returns:
        The labels of each image, by the stem of its `file_name`; one without annotations has no objects.

    Raises:
        UserError: it is no COCO file; an id or name is there twice, or one is named that is not there.
    """
    if not is_coco(document):
        raise UserError(
            f"{name}: not COCO's JSON; expected an object with `images`, `annotations` and `categories`. A list of "
            "results alone does not say which image is which."
        )
    chosen = _Categories.read(document, name, categories)
    images = _by_id(document, "images", name)
    stems: dict[str, Any] = {}
    for id, image in images.items():
        if not isinstance(file := image.get("file_name"), str) or not stem_of(file):
            raise UserError(f"{name}: the image {id!r} has the file_name {describe(file)}; expected a file's name.")
        if stem_of(file) in stems:
            raise UserError(
                f"{name}: two images are called {stem_of(file)!r} (ids {stems[stem_of(file)]!r} and {id!r}); "
                "images are known by their stem, without folder. Rename one."
            )
        stems[stem_of(file)] = id
    objects: dict[Any, list[dict[str, Any]]] = {id: [] for id in images}
    for id, annotation in _by_id(document, "annotations", name).items():
        if (image_id := _hashable(annotation.get("image_id"))) not in objects:
            raise UserError(f"{name}: the annotation {id!r} is of the image {describe(image_id)}, which is not listed.")
        if chosen.has(annotation, name):
            objects[image_id].append(annotation)
    records = {stem: _record(images[id], objects[id], f"{name}, image {stem}") for stem, id in sorted(stems.items())}
    return LabelSet(name, records, chosen.notes(name))


def read_coco(content: bytes, name: str, size: Size | None, ignore: bool) -> LabelMap:
    """Paint the annotations of one image, `{"height", "width", "annotations"}` as JSON.

    Crowds (`iscrowd`) are regions in which nothing is known.

    Raises:
        UserError: the image is of another size, or an annotation has no outline or mask, or a damaged one.
    """
    image = parse_json(content, name)
    size = _agreed_size(image, size, name)
    painter = Painter(size, name, ignore=ignore)
    for annotation in image["annotations"]:
        region = _region(annotation.get("segmentation"), size, f"{name}, annotation {annotation.get('id')!r}")
        if annotation.get("iscrowd"):
            painter.leave_unjudged(region)
        else:
            painter.add(region)
    return painter.finish()


def _record(image: dict[str, Any], annotations: list[dict[str, Any]], name: str) -> LabelRecord:
    """The labels of one image, whose content is what decides on them, whatever else the file holds."""

    def content() -> bytes:
        fields = ("id", "iscrowd", "segmentation")
        kept = [{field: one[field] for field in fields if field in one} for one in annotations]
        size = {side: image.get(side) for side in ("height", "width")}
        return json.dumps({**size, "annotations": kept}, sort_keys=True, separators=(",", ":")).encode()

    return LabelRecord(name, content, read_coco, needs_size=image.get("height") is None)


def _agreed_size(image: dict[str, Any], size: Size | None, name: str) -> Size:
    stated = (image["height"], image["width"])
    if stated == (None, None):
        return known_size(size, name)
    if not all(type(side) is int and side > 0 for side in stated):
        raise UserError(f"{name}: height and width are {stated}; expected whole numbers of pixels.")
    if size is not None and size != stated:
        raise UserError(
            f"{name}: the JSON says {stated[0]} x {stated[1]} pixels (height x width), but the image has {size[0]} x "
            f"{size[1]}; outlines of another size do not fit it."
        )
    return stated


def _region(segmentation: Any, size: Size, name: str) -> Region:
    if isinstance(segmentation, dict):
        return read_rle(segmentation, size, name)
    if not isinstance(segmentation, list) or not segmentation:
        raise UserError(
            f"{name}: the segmentation is {describe(segmentation)}; expected polygons or run lengths. A box alone is "
            "no outline."
        )
    return fill([[ring(_pairs(polygon, name), name)] for polygon in segmentation], size)


def _pairs(polygon: Any, name: str) -> list[list[Any]]:
    """Cut x1, y1, x2, y2, … into pairs."""
    numbers = listed(polygon, "a polygon", name)
    if len(numbers) % 2 or any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise UserError(f"{name}: a polygon of {len(numbers)} values; expected numbers x, y, x, y and so on.")
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


def _by_id(document: dict[str, Any], what: str, name: str) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for entry in listed(document[what], f"`{what}`", name):
        if (id := _hashable(mapped(entry, f"an entry of `{what}`", name).get("id"))) is None:
            raise UserError(f"{name}: an entry of `{what}` has the id {describe(entry.get('id'))}; expected a number.")
        if id in found:
            raise UserError(f"{name}: the id {id!r} is twice in `{what}`; ids have to be unique. Merge the files anew.")
        found[id] = entry
    return found


def _hashable(id: Any) -> Any:
    """Return an id that can be looked up, whole numbers and text; None for any other."""
    return id if isinstance(id, int | str) and not isinstance(id, bool) else None


@dataclass(frozen=True)
class _Categories:
    """The names of a file's categories by id, and which of them are objects."""

    names: dict[Any, str]
    chosen: Collection[str]

    @classmethod
    def read(cls, document: dict[str, Any], name: str, chosen: Collection[str]) -> _Categories:
        entries = _by_id(document, "categories", name) if "categories" in document else {}
        names = {id: str(entry.get("name", id)) for id, entry in entries.items()}
        if unknown := sorted(set(chosen) - set(names.values())):
            known = ", ".join(sorted(set(names.values()))) or "none"
            raise UserError(f"{name}: no category {unknown[0]!r}; its categories: {known}.")
        return cls(names, chosen)

    def has(self, annotation: dict[str, Any], name: str) -> bool:
        """Whether an annotation is of a category that is chosen."""
        id = _hashable(annotation.get("category_id"))
        if self.names and id not in self.names:
            raise UserError(
                f"{name}: the annotation {annotation.get('id')!r} is of the category "
                f"{describe(annotation.get('category_id'))}, which is not listed."
            )
        return not self.chosen or self.names[id] in self.chosen

    def notes(self, name: str) -> list[str]:
        if self.chosen or len(set(self.names.values())) < 2:
            return []
        found = ", ".join(sorted(set(self.names.values())))
        return [f"{name}: objects of {len(set(self.names.values()))} categories are read as one kind: {found}"]
