"""Which files an image's exports are, and when they go: none outlives the labels that it was made of."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data.planes.pixel_size import PixelSize
from benchmarks.exports.choice import Export
from benchmarks.exports.coco import CocoFile
from benchmarks.exports.geojson import collection, feature
from benchmarks.exports.imagej_labels import write_imagej_labels
from benchmarks.exports.imagej_rois import roi_zip
from benchmarks.exports.outlines import Polygon, object_masks, outline
from benchmarks.files import remove_leftovers, write_atomic

# A folder and a suffix for each export that is a file an image.
_PER_IMAGE: dict[Export, tuple[str, str]] = {
    "labels": ("imagej", ".tif"),
    "roi": ("rois", ".zip"),
    "geojson": ("geojson", ".geojson"),
}
_COCO = "coco.json"


@dataclass(frozen=True)
class Segmented:
    """An image whose results are exported.

    Attributes:
        stem: of the names of its results.
        file_name: of the image itself.
        labels: (H, W) integers, 0 background.
        rows: `object_measurements` of the labels, with further columns where there are any.
        size: of a pixel; None where the file does not say.
        made_of: words that tell image, model and options from others.
    """

    stem: str
    file_name: str
    labels: np.ndarray
    rows: Sequence[Mapping[str, Any]]
    size: PixelSize | None
    made_of: str

    @cached_property
    def outlines(self) -> list[tuple[int, list[Polygon]]]:
        """Id and outline of each object."""
        return [(one.label, outline(one)) for one in object_masks(self.labels)]


class Exporter:
    """Writes the exports of one call."""

    def __init__(self, out: Path, exports: Collection[Export]) -> None:
        self._out = out
        self._exports = exports
        self._coco = CocoFile()
        for folder, _ in _PER_IMAGE.values():
            remove_leftovers(out / folder)

    def forget(self, stem: str) -> None:
        """Remove what was made of labels of this name, which are about to change, in whichever call."""
        for export in _PER_IMAGE:
            self._path(export, stem).unlink(missing_ok=True)
        (self._out / _COCO).unlink(missing_ok=True)

    def write(self, image: Segmented) -> None:
        """Write what is exported of an image.

        Raises:
            UserError: a format cannot hold it, or the system refuses.
        """
        if "labels" in self._exports:
            write_imagej_labels(self._path("labels", image.stem), image.labels, image.size)
        if "geojson" in self._exports:
            write_atomic(self._path("geojson", image.stem), _compact(_geojson(image)))
        if "coco" in self._exports:
            self._coco.add(image.file_name, image.labels)
        # Last, as it has limits that the others have not.
        if "roi" in self._exports:
            write_atomic(self._path("roi", image.stem), roi_zip(image.outlines, image.file_name))

    def finish(self) -> None:
        """Write what is one file for all images."""
        if "coco" in self._exports:
            write_atomic(self._out / _COCO, _compact(self._coco.document()))

    def _path(self, export: Export, stem: str) -> Path:
        folder, suffix = _PER_IMAGE[export]
        return self._out / folder / f"{stem}{suffix}"


def export_paths(out: Path, exports: Collection[Export]) -> list[Path]:
    """Return the folders and files of exports; measurements are in the table of objects, which is there anyway."""
    folders = [out / folder for export, (folder, _) in _PER_IMAGE.items() if export in exports]
    return folders + ([out / _COCO] if "coco" in exports else [])


def _geojson(image: Segmented) -> dict[str, Any]:
    measured = {row["label"]: {name: value for name, value in row.items() if name != "label"} for row in image.rows}
    return collection([feature(label, polygons, measured[label], image.made_of) for label, polygons in image.outlines])


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, allow_nan=False, separators=(",", ":")) + "\n"
