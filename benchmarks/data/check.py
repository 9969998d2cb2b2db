"""Check a dataset by reading all of it once: counts, sizes, instances, and what is wrong with it."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from skimage.measure import label
from tabulate import tabulate

from benchmarks.data.base import SPLITS, Dataset, StoredSample, to_sample
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
        fingerprint: the dataset's fingerprint; empty where a file could not be read.
    """

    dataset: Dataset
    splits: dict[str, SplitReport]
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    fingerprint: str = ""

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
            summary = [sum(counts), min(counts), statistics.median(counts), max(counts), counts.count(0)]
            rows.append([name, split.images, len(counts), *(summary if counts else ["-"] * 5)])
        return tabulate(rows, headers)


def check_dataset(dataset: Dataset) -> DatasetReport:
    """Read every sample of an open dataset and report; problems are collected, not raised."""
    report = DatasetReport(
        dataset, {split: SplitReport(len(dataset.ids(split))) for split in SPLITS}, notes=[*dataset.notes]
    )
    masks_only, turned = [], []
    for split in SPLITS:
        for id in dataset.ids(split):
            try:
                stored = dataset.read(id)
                to_sample(id, stored)
            except UserError as error:
                report.problems.append(str(error))
                continue
            report.sizes[(stored.image.shape[0], stored.image.shape[1])] += 1
            report.types[f"{stored.image.dtype} {'grey' if stored.image.ndim == 2 else 'colour'}"] += 1
            if stored.turned[0] != stored.turned[1]:
                turned.append(stored.image_name)
            if stored.labels is not None:
                report.splits[split].counts.append(_instances(stored.labels))
                masks_only.append(_is_one_mask(stored))
    _judge_whole(report, masks_only)
    if turned:
        report.notes.append(
            f"{len(turned)} images have another orientation tag than their labels (the first: {turned[0]}); all are "
            "turned upright, so check that image and label show the same way up"
        )
    if provenance := dataset.provenance():
        report.notes.append(provenance)
    if not report.problems:
        report.fingerprint = dataset.fingerprint
    return report


def _judge_whole(report: DatasetReport, masks_only: list[bool]) -> None:
    if masks_only and all(masks_only):
        report.problems.append(
            f"{report.dataset.spec}: every label image holds a single id over several separate objects; "
            "these are foreground masks. Give each instance its own id."
        )
    for name, split in report.splits.items():
        if split.counts and not any(split.counts):
            report.problems.append(f"{report.dataset.spec}: no image of the split {name!r} has an instance.")
    if len({kind.rpartition(" ")[2] for kind in report.types}) > 1:
        report.notes.append("grey and colour images are mixed, and are normalised by different rules")


def _instances(labels: np.ndarray) -> int:
    return int(np.count_nonzero(np.unique(labels)))


def _is_one_mask(stored: StoredSample) -> bool:
    """Tell whether one id covers several separate objects, and there is no other id."""
    labels = stored.labels
    return labels is not None and _instances(labels) == 1 and int(label(labels > 0, connectivity=2).max()) > 1


def _counted(counts: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{kind} ({n})" for kind, n in sorted(counts.items(), key=lambda item: -item[1])) or "-"
