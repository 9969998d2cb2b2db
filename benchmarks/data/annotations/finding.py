"""Find the labels of images in a folder or in one COCO file: which file is of which image, and who reads it."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.data.annotations.cellpose import read_border_rois, read_seg
from benchmarks.data.annotations.coco import coco_labels, is_coco
from benchmarks.data.annotations.contract import LabelMap, LabelRecord, LabelSet, Reader, Size
from benchmarks.data.annotations.geojson import is_geojson, read_geojson
from benchmarks.data.annotations.imagej import read_rois
from benchmarks.data.annotations.json_text import MAX_JSON_BYTES, parse_json
from benchmarks.data.annotations.rasters import read_raster
from benchmarks.data.decoding.limits import MAX_FILE_BYTES
from benchmarks.data.reading import SUFFIXES, read_bytes, stem_of
from benchmarks.data.sources import FolderSource, Source
from benchmarks.errors import UserError

OUTLINE_SUFFIXES = (".geojson", ".json", ".zip", ".roi")
"""Suffixes of files that hold outlines."""

_LISTED = ", ".join((*SUFFIXES, *OUTLINE_SUFFIXES))
_READERS: Mapping[str, Reader] = {".geojson": read_geojson, ".zip": read_rois, ".roi": read_rois}
# What Cellpose adds to the name of an image, in the order in which one goes before the next.
_ENDINGS: tuple[tuple[str, tuple[str, ...], Reader], ...] = (
    ("_cp_masks", (".png", ".tif", ".tiff"), read_raster),
    ("_seg", (".npy",), read_seg),
    ("_rois", (".zip",), read_border_rois),
)
_BY_PRODUCTS = ("_flows", "_cp_flows", "_outlines", "_cp_outlines", "_cp_output")


@dataclass
class _Found:
    """The files of a folder that may be labels.

    Attributes:
        plain: by the file's own stem; COCO's by the stem of the image.
        cellpose: by the stem of the image that Cellpose's name speaks of and by place in `_ENDINGS`: the own stems.
        unread: files that nothing reads.
        notes: of COCO files.
    """

    plain: dict[str, list[LabelRecord]] = field(default_factory=dict)
    cellpose: dict[str, dict[int, str]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def labels_at(path: Path, stems: Collection[str] | None = None) -> LabelSet:
    """Find the labels in a folder, or in a COCO file.

    Args:
        stems: the images to find, which must be there; None for all.

    Raises:
        UserError: there are no labels, some are missing, or two files are of one image.
    """
    if path.is_file() and path.suffix.lower() == ".json":
        found = coco_labels(parse_json(read_bytes(path, MAX_JSON_BYTES), str(path)), str(path))
    elif path.is_dir():
        source = FolderSource(path)
        found = find_labels(source, stems)
        if not found.records and (stems is None or not any(map(_readable, source.names))):
            raise UserError(f"{path}: no label map found, expected files ending in {_LISTED}")
    else:
        raise UserError(f"{path}: not a folder, expected one of label maps ({_LISTED}), or a COCO file (.json)")
    if stems is None:
        return found
    if missing := [stem for stem in stems if stem not in found.records]:
        raise UserError(f"{path}: no label map for {', '.join(missing)}, which the list of images names")
    kept = {stem: record for stem, record in found.records.items() if stem in set(stems)}
    return LabelSet(found.label, kept, found.notes)


def common_stems(first: Path, second: Path) -> set[str] | None:
    """The stems of the files in two folders, where both have the same; None where they differ, or there are none.

    Files that agree in their whole names need nobody to read Cellpose's endings. What is in JSON no name tells.
    """
    if not (first.is_dir() and second.is_dir()):
        return None
    names = [[name for name in FolderSource(path).names if _readable(name)] for path in (first, second)]
    if any(_suffix(name) == ".json" for name in (*names[0], *names[1])):
        return None
    stems = [{_stem(name) for name in of_folder} for of_folder in names]
    return stems[0] if stems[0] and stems[0] == stems[1] else None


def find_labels(source: Source, stems: Collection[str] | None = None) -> LabelSet:
    """Find the labels of the images in a folder.

    Args:
        stems: the images of which labels are looked for, some of which may be missing; None for those that the names of
            the files speak of.

    Raises:
        UserError: two files are of one image, or JSON is damaged.
    """
    found = _look(source)
    wanted = set(_images(found) if stems is None else stems)
    records: dict[str, LabelRecord] = {}
    beside: list[str] = []
    for stem in sorted(wanted):
        # A file that is called like an image is that one's, whatever its ending.
        own = [name for _, name in sorted(found.cellpose.get(stem, {}).items()) if name not in wanted]
        if own and stem in found.plain:
            # A picture may be the image itself, outlines are other labels.
            _only_one(
                [*found.plain[own[0]], *(file for file in found.plain[stem] if file.reader is not read_raster)], source
            )
            beside.append(stem)
        if chosen := [_only_one(found.plain[name], source) for name in own or [stem] if name in found.plain]:
            records[stem] = _agreeing(chosen) if len(chosen) > 1 else chosen[0]
    return LabelSet(source.label, records, _notes(source, found, beside), found.unread)


def raster_labels(source: Source, names: Mapping[str, str], reader: Reader) -> LabelSet:
    """The label maps of a data set that has one format and a rule of its own.

    Args:
        names: the file of each image, by stem.
        reader: which decodes them.
    """
    records = {stem: _record(source, name, reader) for stem, name in names.items()}
    unread = sorted(set(source.names) - set(names.values()))
    return LabelSet(source.label, records, unread=unread)


def _look(source: Source) -> _Found:
    found = _Found()
    for name in source.names:
        suffix = _suffix(name)
        if suffix == ".json":
            _look_into(source, name, found)
        elif suffix in (*SUFFIXES, *_READERS):
            _add(found, source, name, _READERS.get(suffix, read_raster))
        else:
            found.unread.append(name)
    return found


def _look_into(source: Source, name: str, found: _Found) -> None:
    """Take JSON as what it holds."""
    content = source.read(name, MAX_JSON_BYTES)
    document = parse_json(content, source.describe(name))
    if is_geojson(document):
        _add(found, source, name, read_geojson)
    elif is_coco(document):
        labels = coco_labels(document, source.describe(name))
        for stem, record in labels.records.items():
            found.plain.setdefault(stem, []).append(record)
        found.notes += labels.notes
    else:
        found.unread.append(name)


def _add(found: _Found, source: Source, name: str, reader: Reader) -> None:
    stem, suffix = _stem(name), _suffix(name)
    for place, (ending, suffixes, ending_reader) in enumerate(_ENDINGS):
        if suffix in suffixes and stem.endswith(ending) and stem != ending:
            found.cellpose.setdefault(stem.removesuffix(ending), {})[place] = stem
            reader = ending_reader
    found.plain.setdefault(stem, []).append(_record(source, name, reader))


def _only_one(records: list[LabelRecord], source: Source) -> LabelRecord:
    if len(records) > 1:
        names = " and ".join(Path(record.name).name for record in records[:2])
        raise UserError(
            f"{source.label}: {names} have the same stem, and only one label map an image can be scored: keep one of "
            "them"
        )
    return records[0]


def _record(source: Source, name: str, reader: Reader) -> LabelRecord:
    limit = MAX_JSON_BYTES if reader is read_geojson else MAX_FILE_BYTES
    needs_size = reader in (read_geojson, read_rois, read_border_rois)
    return LabelRecord(source.describe(name), lambda: source.read(name, limit), reader, needs_size)


def _images(found: _Found) -> set[str]:
    """The images that the names speak of: what Cellpose wrote beside its masks is of none."""
    endings = [*(ending for ending, _, _ in _ENDINGS), *_BY_PRODUCTS]
    written = {stem + ending for stem in found.cellpose for ending in endings}
    return (found.plain.keys() - written) | found.cellpose.keys()


def _agreeing(records: list[LabelRecord]) -> LabelRecord:
    """The first of several files of Cellpose's that hold masks, which have to be the same in all."""
    first, others = records[0], [record for record in records[1:] if record.reader is not read_border_rois]

    def read(content: bytes, name: str, size: Size | None, ignore: bool) -> LabelMap:
        found = first.reader(content, name, size, ignore)
        for other in others:
            if not np.array_equal(found.labels, other.read(size, ignore=ignore).labels):
                raise UserError(
                    f"{name} and {other.name} hold different masks of one image: one was edited after the other was "
                    "saved. Move the older one away."
                )
        return found

    return LabelRecord(first.name, first.content, read)


def _notes(source: Source, found: _Found, beside: list[str]) -> list[str]:
    notes = list(found.notes)
    if beside:
        notes.append(
            f"{source.label}: {len(beside)} images have a file of their own name and one of Cellpose's, which is read "
            f"(the first: {beside[0]})"
        )
    return notes


def _readable(name: str) -> bool:
    return _suffix(name) in (*SUFFIXES, *OUTLINE_SUFFIXES)


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def _stem(name: str) -> str:
    """The stem of a file of labels; QuPath appends its suffix to the image's whole name."""
    if _suffix(name) not in OUTLINE_SUFFIXES:
        return stem_of(name)
    return stem_of(unicodedata.normalize("NFC", Path(name).stem))
