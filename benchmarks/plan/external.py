"""Label maps that another tool made, as a row of a table: scored like any other, not trained here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.data import Dataset
from benchmarks.data.annotations.contract import Size, losses_note
from benchmarks.data.annotations.finding import labels_at
from benchmarks.errors import UserError
from benchmarks.plan.job import EXTERNAL, Job, JobContext
from benchmarks.plan.settings import TestingSettings, TrainingSettings


@dataclass(frozen=True)
class External:
    """A folder of label maps or outlines, or a COCO file, and what to call it.

    Attributes:
        notes: what `job` found that a user may want to know.
    """

    name: str
    folder: Path
    notes: list[str] = field(default_factory=list, compare=False)

    @classmethod
    def parse(cls, text: str) -> External:
        """Read NAME=FOLDER.

        Raises:
            UserError: it is not written so.
        """
        name, equals, folder = text.partition("=")
        if not (equals and name.strip() and folder):
            raise UserError(f"--external {text}: expected NAME=FOLDER, such as Cellpose=results/cellpose.")
        return cls(name.strip(), Path(folder).expanduser())

    def job(self, dataset: Dataset, context: JobContext) -> Job:
        """The job that scores the folder; its key follows the content of the label maps, not their place.

        Raises:
            UserError: a test image has no label map, or one that cannot be read or has another size.
        """
        return Job(
            method=EXTERNAL,
            scale=context.scale,
            protocol=context.protocol,
            seed=0,
            data=context.data,
            split=context.split,
            model={"name": self.name, "folder": str(self.folder), "digest": self._checked(dataset, context.split)},
            training=TrainingSettings(iterations=0, threads=None, precision="float32"),
            testing=TestingSettings(tile="whole"),
            augmentation={},
        )

    def _checked(self, dataset: Dataset, split: str) -> str:
        """The digest of the labels of the split, each checked against its image."""
        ids = dataset.ids(split)
        found = labels_at(self.folder, ids)
        digests, losses = {}, []
        for id in ids:
            record, expected = found.records[id], _size(dataset, id)
            content = record.content()
            labels = record.decode(content, expected)
            if labels.size != expected:
                raise UserError(
                    f"{record.name} is {labels.size[0]}×{labels.size[1]} pixels, its image {expected[0]}×{expected[1]} "
                    f"(height×width): label maps of {self.name} have to be of the size of the images."
                )
            losses.append((record.name, labels.losses))
            digests[id] = hashlib.sha256(content).digest()
        self.notes[:] = [*found.notes, *(note for note in [losses_note(losses, str(self.folder))] if note)]
        return _digest(digests)


def read_external(job: Job, dataset: Dataset) -> dict[str, np.ndarray]:
    """The label maps (H, W) of an external job, by image.

    Raises:
        UserError: the folder is no longer what it was when the job was made.
    """
    folder = Path(job.model["folder"])
    records = labels_at(folder, dataset.ids(job.split)).records
    contents = {id: records[id].content() for id in dataset.ids(job.split)}
    if _digest({id: hashlib.sha256(content).digest() for id, content in contents.items()}) != job.model["digest"]:
        raise UserError(f"{folder} has changed since it was read; run the table again.")
    return {id: records[id].decode(content, _size(dataset, id)).labels for id, content in contents.items()}


def _size(dataset: Dataset, id: str) -> Size:
    height, width = dataset.load(id).image.shape[1:]
    return height, width


def _digest(digests: Mapping[str, bytes]) -> str:
    """SHA-256 over the images' names and the digests of their labels' content."""
    digest = hashlib.sha256()
    for id, of_labels in digests.items():
        digest.update(f"{id}\0".encode() + of_labels)
    return digest.hexdigest()
