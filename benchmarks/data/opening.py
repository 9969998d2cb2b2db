"""Open a dataset by its spec, a text such as `folder:../nuclei` or `synthetic-nuclei?seed=3`."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from benchmarks.data.base import Dataset
from benchmarks.data.normalisation import Range, checked_range
from benchmarks.data.training_share import TrainingShare
from benchmarks.errors import UserError

# For each kind the place of its class, which is imported when it is needed, and the form of its spec.
KINDS: Mapping[str, tuple[str, str]] = {
    "folder": ("benchmarks.data.folder:FolderDataset", "folder:PATH[?decoding=components&range=robust]"),
    "coco": ("benchmarks.data.coco:CocoDataset", "coco:PATH[?category=cell&range=robust]"),
    "bbbc039": ("benchmarks.data.bbbc039:BBBC039", "bbbc039:PATH[?decoding=official]"),
    "union": ("benchmarks.data.union:UnionDataset", "union:FILE, which names a data set a line"),
    "cvppp-a1": ("benchmarks.data.cvppp:open_cvppp_a1", "cvppp-a1:PATH"),
    "synthetic-nuclei": (
        "benchmarks.data.synthetic.nuclei:SyntheticNuclei",
        "synthetic-nuclei[?size=256&seed=0]",
    ),
    "synthetic-rosettes": (
        "benchmarks.data.synthetic.rosettes:SyntheticRosettes",
        "synthetic-rosettes[?size=256&seed=0]",
    ),
}

# Options of the kinds that lie in files; generated ones know their own.
_OPTIONS: Mapping[str, frozenset[str]] = {
    "folder": frozenset({"decoding", "range"}),
    "coco": frozenset({"category", "range"}),
    "bbbc039": frozenset({"decoding"}),
}


def open_dataset(spec: str, *, decoding: str | None = None) -> Dataset:
    """Open a dataset and check its layout and the membership of its splits.

    Args:
        spec: `KIND:PATH`, or the name of an embedded generated set; options follow a question mark. Every kind has
            `train-share=1/8` and `draw=0`, see `benchmarks.data.training_share`.
        decoding: the same as the option of that name; data sets without that option have "ids".

    Raises:
        UserError: the kind or an option is unknown, or the data are not as the kind expects.
    """
    kind, path, options = _parse(spec)
    part = TrainingShare.take_from(options, spec)
    dataset = _open(spec, kind, path, options, decoding)
    if not part.whole:
        dataset.keep_training_images(part.of(dataset.ids("train")), dataset.name + part.describe())
    return dataset


def training_share_of(spec: str) -> TrainingShare:
    """Return the part of the training images that a spec names.

    Raises:
        UserError: it is not the spec of a dataset, or its share cannot be read.
    """
    return TrainingShare.take_from(_parse(spec)[2], spec)


def whole_of(spec: str) -> str:
    """Return a text that is the same for all parts of the training images of one data set.

    Raises:
        UserError: as `training_share_of`.
    """
    kind, path, options = _parse(spec)
    TrainingShare.take_from(options, spec)
    return f"{kind}:{path}?{'&'.join(f'{name}={value}' for name, value in sorted(options.items()))}"


def _open(spec: str, kind: str, path: str, options: dict[str, str], decoding: str | None) -> Dataset:
    allowed = _OPTIONS.get(kind, frozenset())
    if kind == "union":
        return _open_union(spec, Path(path).expanduser(), options, decoding)
    if decoding is not None and ("decoding" in allowed or decoding != "ids"):
        if options.setdefault("decoding", decoding) != decoding:
            raise UserError(f"{spec}: says decoding {options['decoding']!r}, but {decoding!r} was asked for as well.")
        if "decoding" not in allowed:
            raise UserError(f"{spec}: {kind} has no decoding {decoding!r}; its labels hold ids.")
    module, _, opener = KINDS[kind][0].partition(":")
    open_kind = getattr(importlib.import_module(module), opener)
    if kind.startswith("synthetic-"):
        return open_kind(spec, options)
    for option in options.keys() - allowed:
        raise UserError(f"{spec}: {kind} has no option {option!r}; it is written {KINDS[kind][1]}.")
    return open_kind(spec, Path(path).expanduser(), **options)


def _open_union(spec: str, path: Path, options: dict[str, str], decoding: str | None) -> Dataset:
    if options:
        raise UserError(f"{spec}: a union has no option {min(options)!r}; write it behind its parts, in {path}.")
    from benchmarks.data.union import open_union

    union = open_union(spec, path, _open_below)
    if decoding not in (None, union.decoding):
        raise UserError(f"{spec}: has no decoding {decoding!r}; its parts are read as {union.decoding}.")
    return union


def _open_below(spec: str, folder: Path) -> Dataset:
    """Open a data set whose path starts at `folder`."""
    kind, path, _ = _parse(spec)
    if path:
        _, mark, query = spec.partition("?")
        spec = f"{kind}:{folder / Path(path).expanduser()}{mark}{query}"
    return open_dataset(spec)


def range_of(spec: str, decoding: str = "ids") -> Range | None:
    """Return the range that a spec names, such as that of the data a model was trained on.

    Args:
        decoding: of these data, which tells the ranges of a union's parts, as its spec does not.

    Returns:
        None for a union whose parts differ.

    Raises:
        UserError: it is not the spec of a dataset, or names a range that there is not.
    """
    kind, _, options = _parse(spec)
    if kind == "union":
        from benchmarks.data.union import common_range

        return common_range(decoding)
    return checked_range(options.get("range", "min-max"), spec)


def _parse(spec: str) -> tuple[str, str, dict[str, str]]:
    head, _, query = spec.partition("?")
    kind, colon, path = head.partition(":")
    if kind not in KINDS:
        raise UserError(f"no dataset {spec!r}: {_suggestion(kind, head)}")
    if kind.startswith("synthetic-") and colon:
        raise UserError(f"{spec}: {kind} is generated and takes no path; write {KINDS[kind][1]}.")
    if not kind.startswith("synthetic-") and not path:
        raise UserError(f"{spec}: the path is missing; write {KINDS[kind][1]}.")
    return kind, path, _options(spec, query)


def _options(spec: str, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, strict_parsing=True, keep_blank_values=True) if query else []
    except ValueError as error:
        raise UserError(f"{spec}: the options {query!r} are not written name=value&name=value.") from error
    options = dict(pairs)
    if len(options) < len(pairs):
        raise UserError(f"{spec}: an option is given twice.")
    return options


def _suggestion(kind: str, head: str) -> str:
    forms = ", ".join(form for _, form in KINDS.values())
    close = difflib.get_close_matches(kind.lower(), KINDS, n=1)
    if close:
        return f"did you mean {KINDS[close[0]][1]}? Known are {forms}."
    if head and Path(head).expanduser().is_dir():
        return f"that is a folder; did you mean folder:{head}? Known are {forms}."
    return f"known are {forms}."
