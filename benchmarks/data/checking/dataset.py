"""Check a dataset by reading all of it once: counts, sizes, instances, and what is wrong with it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from tabulate import tabulate

from benchmarks.data.annotations.contract import Losses, losses_note
from benchmarks.data.base import SPLITS, Dataset, StoredSample, to_sample
from benchmarks.data.checking.copies import Picture, find_copies, picture_of
from benchmarks.data.components import Pieces, count_pieces, pieces_note
from benchmarks.data.normalisation import Range, odd_range
from benchmarks.data.sample import IGNORE
from benchmarks.errors import UserError


@dataclass
class SplitReport:
    """The report of one split.

    Attributes:
        images: number of images listed.
        counts: number of instances in each image whose truth was read.
    """

    images: int
    counts: list[int] = field(default_factory=list)


@dataclass
class DatasetReport:
    """The findings of `check_dataset`.

    Attributes:
        splits: the report of each split, by name.
        sizes: number of images of each (height, width).
        types: number of images of each kind, such as "uint16 grey".
        problems: sentences that each name a file; empty where the data can be used.
        notes: what is worth knowing but is not an error.
        fingerprint: the dataset's fingerprint; empty where there are problems.
        pictures: what tells whether images are copies of each other.
    """

    dataset: Dataset
    splits: dict[str, SplitReport]
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fingerprint: str = ""
    pictures: list[Picture] = field(default_factory=list)

    def render(self) -> str:
        """Print the report as plain text."""
        dataset = self.dataset
        lines = [f"{dataset.spec}: {dataset.name}, labels decoded as {dataset.decoding}"]
        if self.fingerprint:
            lines.append(f"normalisation  {dataset.normalisation}")
            lines.append(f"fingerprint    {self.fingerprint}")
        lines.append(f"sizes          {_counted({f'{h} x {w}': n for (h, w), n in self.sizes.items()})}")
        lines.append(f"types          {_counted(self.types)}")
        lines += ["", self._table(), ""]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"problem: {problem}" for problem in self.problems] or ["no problems found"]
        return "\n".join(lines)

    def _table(self) -> str:
        headers = ["split", "images", "with truth", "instances", "min", "median", "max", "without any"]
        rows = []
        for name, split in self.splits.items():
            counts = split.counts
            summary: list[object] = ["-"] * 5
            if counts:
                summary = [sum(counts), min(counts), statistics.median(counts), max(counts), counts.count(0)]
            rows.append([name, split.images, len(counts), *summary])
        return tabulate(rows, headers)


def check_dataset(dataset: Dataset) -> DatasetReport:
    """Read every sample of an open dataset and report; problems are collected, not raised."""
    report = DatasetReport(
        dataset, {split: SplitReport(len(dataset.ids(split))) for split in SPLITS}, notes=[*dataset.notes]
    )
    findings = _Findings(dataset.spec)
    for split in SPLITS:
        for id in dataset.ids(split):
            try:
                stored = dataset.read(id)
                sample = to_sample(id, stored, dataset.range_for(id))
            except UserError as error:
                report.problems.append(str(error))
                continue
            report.sizes[(stored.image.shape[0], stored.image.shape[1])] += 1
            report.types[f"{stored.image.dtype} {'grey' if stored.image.ndim == 2 else 'colour'}"] += 1
            report.pictures.append(picture_of(sample.image, f"{split}/{id}", split))
            findings.add(stored, dataset.range_for(id))
            if sample.labels is not None:
                report.splits[split].counts.append(int(np.count_nonzero(np.unique(sample.objects))))
    _judge_whole(report)
    report.problems += findings.problems()
    report.notes += findings.notes()
    _judge_copies(report)
    if provenance := dataset.provenance():
        report.notes.append(provenance)
    if not report.problems:
        report.fingerprint = dataset.fingerprint
    return report


def shared_pictures(reports: Sequence[DatasetReport]) -> list[str]:
    """Say which pictures are in several data sets: nothing trained on one may be tested on the others' copies."""
    pictures = [
        replace(picture, name=f"{report.dataset.spec} {picture.name}", group=str(number))
        for number, report in enumerate(reports)
        for picture in report.pictures
    ]
    return [f"in two data sets: {copy.describe()}" for copy in find_copies(pictures)]


def leaks(dataset: Dataset) -> list[str]:
    """Read every sample, and say which pictures are in several splits.

    Raises:
        UserError: the first sample that cannot be used.
    """
    pictures = [
        picture_of(dataset.load(id).image, f"{split}/{id}", split) for split in SPLITS for id in dataset.ids(split)
    ]
    return [copy.describe() for copy in find_copies(pictures)]


@dataclass
class _Findings:
    """What single samples say, until it is told in one sentence a kind."""

    spec: str
    turned: list[str] = field(default_factory=list)
    odd_pixels: list[str] = field(default_factory=list)
    odd_ranges: list[str] = field(default_factory=list)
    ignoring: list[str] = field(default_factory=list)
    pieces: dict[str, Pieces] = field(default_factory=dict)
    losses: list[tuple[str, Losses]] = field(default_factory=list)

    def add(self, stored: StoredSample, range: Range) -> None:
        if stored.turned[0] != stored.turned[1]:
            self.turned.append(stored.image_name)
        if stored.odd_pixels:
            self.odd_pixels.append(f"{stored.image_name}, {stored.odd_pixels} pixels")
        if range == "min-max" and (words := odd_range(stored.image)):
            self.odd_ranges.append(f"{stored.image_name}, {words}")
        if stored.labels is None:
            return
        if share := float(np.mean(stored.labels == IGNORE)):
            self.ignoring.append(f"{stored.label_name}, {share:.1%} of its pixels")
        self.pieces[stored.label_name] = count_pieces(stored.labels)
        self.losses.append((stored.label_name, stored.losses))

    def problems(self) -> list[str]:
        held = [pieces for pieces in self.pieces.values() if pieces.ids]
        advice = "Give each instance its own id, or write folder:PATH?decoding=components where instances do not touch."
        if held and all(pieces.is_mask for pieces in held):
            return [
                f"{self.spec}: every label image holds a single id over several separate objects; "
                f"these are foreground masks. {advice}"
            ]
        if held and all(pieces.is_mask or pieces.is_colouring for pieces in held):
            return [
                f"{self.spec}: every label image holds a few ids over many separate objects; these are colours that "
                f"keep neighbours apart, not ids. {advice}"
            ]
        return []

    def notes(self) -> list[str]:
        told = {
            "have another orientation tag than their labels; all are turned upright, so check that image and label "
            "show the same way up": self.turned,
            "were saved in colour and are grey but for single pixels, so they are read as grey": self.odd_pixels,
            "have a few pixels that take up most of their range, and min-max leaves little to the rest "
            "(folder:PATH?range=robust stretches between percentiles)": self.odd_ranges,
            f"have pixels that are ignored ({IGNORE}): what is there is neither missed nor spurious, and background "
            "in training": self.ignoring,
        }
        notes = [f"{len(names)} images {what} (the first: {names[0]})" for what, names in told.items() if names]
        return notes + [note for note in (pieces_note(self.pieces), losses_note(self.losses, self.spec)) if note]


def _judge_whole(report: DatasetReport) -> None:
    for name, split in report.splits.items():
        if split.counts and not any(split.counts):
            report.problems.append(f"{report.dataset.spec}: no image of the split {name!r} has an instance.")
    if len({kind.rpartition(" ")[2] for kind in report.types}) > 1:
        report.notes.append("grey and colour images are mixed, and are normalised by different rules")


def _judge_copies(report: DatasetReport) -> None:
    for copy in find_copies(report.pictures, within=True):
        if copy.first.group == copy.second.group:
            report.notes.append(f"twice in one split: {copy.describe()}")
        else:
            report.problems.append(
                f"in two splits: {copy.describe()}; truth leaks into the evaluation. Keep the picture in one."
            )


def _counted(counts: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{kind} ({n})" for kind, n in sorted(counts.items(), key=lambda item: -item[1])) or "-"
