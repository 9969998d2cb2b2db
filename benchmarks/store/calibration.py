"""Scores of a job's objects: a CSV beside each label map, and `calibration.json` with what each object matched."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from benchmarks.errors import UserError
from benchmarks.files import write_atomic
from benchmarks.store.documents import Document, SealedDocument, UnreadableError, read_document, write_sealed
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Key, Result, digest_of

SCHEMA = 1
"""The version of calibration.json. It is raised when a definition changes; others are measured anew."""
DECIMALS = 6
_COLUMNS = ["label", "score"]


def write_scores_of(path: Path, scores: np.ndarray | None) -> None:
    """Write the scores (K,) in [0, 1] of the objects 1..K of a label map; None removes those of an earlier one."""
    if scores is None:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((label, f"{score:.{DECIMALS}f}") for label, score in enumerate(scores, 1))
    write_atomic(path, text.getvalue())


def read_scores_of(path: Path, count: int) -> np.ndarray | None:
    """Read the scores (K,) float64 of a label map's objects; None where there are none.

    Args:
        count: K, how many objects the label map has.

    Raises:
        UserError: the file is damaged, or of other objects.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}); delete it, and what rests on it is made without") from error
    try:
        labels, scores = [int(row[0]) for row in rows[1:]], np.array([float(row[1]) for row in rows[1:]], np.float64)
    except (ValueError, IndexError):
        labels, scores = [], np.full(1, np.nan)
    if rows[:1] != [_COLUMNS] or labels != list(range(1, count + 1)) or not ((scores >= 0) & (scores <= 1)).all():
        raise UserError(
            f"{path}: expected a line with label and score in [0, 1] for each of the {count} objects of the label map "
            "beside it. One of both was changed: delete the scores, or run the job again."
        )
    return scores


class ImageObjects(Document):
    """The objects that were found in one image, those left out by the rule for unknown pixels not among them."""

    id: str
    truth: int = Field(ge=0)
    """How many true objects it has."""
    scores: list[float]
    """Of each object, in [0, 1]."""
    ious: list[float]
    """IoU of each with the true object that it matches (IoU > 0.5), or 0."""

    @model_validator(mode="after")
    def _check(self) -> ImageObjects:
        if len(self.scores) != len(self.ious) or not all(0 <= value <= 1 for value in (*self.scores, *self.ious)):
            raise ValueError("expected as many scores as IoUs, all in [0, 1]")
        return self


class JobCalibration(SealedDocument):
    """A job's calibration.json."""

    version: int = Field(alias="schema")
    key: Key
    result: str
    """The digest of the result whose label maps were looked at, see `digest_of`."""
    images: list[ImageObjects]
    """In the order of the result."""
    scored_again: int = 0
    """Images whose label maps were stored without scores: the saved model gave these afterwards."""


def read_calibration(folder: JobFolder, result: Result) -> JobCalibration | None:
    """Read what is kept; None where there is nothing of this result, or it was defined otherwise.

    Raises:
        UnreadableError: the file is damaged.
    """
    try:
        found = read_document(folder.calibration, JobCalibration)
    except FileNotFoundError:
        return None
    except UnreadableError as error:
        raise UnreadableError(f"{folder.calibration.name} is damaged ({error}); delete it and measure again") from error
    fits = (found.version, found.key, found.result) == (SCHEMA, result.key, digest_of(result))
    return found if fits else None


def write_calibration(
    folder: JobFolder, result: Result, images: Sequence[ImageObjects], scored_again: int
) -> JobCalibration:
    """Write the objects of all images, in one step."""
    document = JobCalibration(
        version=SCHEMA, key=result.key, result=digest_of(result), images=list(images), scored_again=scored_again
    )
    write_sealed(folder.calibration, document)
    return document
