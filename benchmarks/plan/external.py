"""Label maps that another tool made, as a row of a table: scored like any other, not trained here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.data import Dataset, read_labels
from benchmarks.data.label_files import label_files
from benchmarks.errors import UserError
from benchmarks.plan.job import EXTERNAL, Job, JobContext
from benchmarks.plan.settings import TestingSettings, TrainingSettings


@dataclass(frozen=True)
class External:
    """A folder of label maps and what to call it."""

    name: str
    folder: Path

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
        """The digest of the label maps of the split, each checked against its image."""
        ids = dataset.ids(split)
        paths = _paths(self.folder, ids)
        for id, path in zip(ids, paths, strict=True):
            found, expected = read_labels(path).shape, dataset.load(id).image.shape[1:]
            if found != expected:
                raise UserError(
                    f"{path} is {found[0]}×{found[1]} pixels, its image {expected[0]}×{expected[1]} (height×width): "
                    f"label maps of {self.name} have to be of the size of the images."
                )
        return _digest(ids, paths)


def read_external(job: Job, ids: Sequence[str]) -> dict[str, np.ndarray]:
    """The label maps (H, W) of an external job, by image.

    Raises:
        UserError: the folder is no longer what it was when the job was made.
    """
    folder = Path(job.model["folder"])
    paths = _paths(folder, ids)
    if _digest(ids, paths) != job.model["digest"]:
        raise UserError(f"{folder} has changed since it was read; run the table again.")
    return {id: read_labels(path) for id, path in zip(ids, paths, strict=True)}


def _paths(folder: Path, ids: Sequence[str]) -> list[Path]:
    files = label_files(folder, ids)
    return [files[id] for id in ids]


def _digest(ids: Sequence[str], paths: Sequence[Path]) -> str:
    """SHA-256 over the images' names and the content of their label maps."""
    digest = hashlib.sha256()
    for id, path in zip(ids, paths, strict=True):
        digest.update(f"{id}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
