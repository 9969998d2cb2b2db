"""How a finished model does on test images that were made worse: `robustness.json`, beside the result and not in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from benchmarks.store.documents import Document, SealedDocument, UnreadableError, read_document, write_sealed
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Key, Result, check_means, digest_of

SCHEMA = 1
"""The version of robustness.json. It is raised when a definition changes; what has another version is measured anew."""


class Condition(Document):
    """Scores under one kind of corruption at one strength."""

    kind: str
    strength: int
    metrics: dict[str, float]
    """Means over the images."""
    images: list[dict[str, Any]]
    """A row for each image of the result, in its order: id, counts and metrics."""

    @property
    def place(self) -> tuple[str, int]:
        return self.kind, self.strength


class JobRobustness(SealedDocument):
    """A job's robustness.json; it grows by a condition at a time."""

    version: int = Field(alias="schema")
    key: Key
    result: str
    """The digest of the result whose model was tested, see `digest_of`."""
    conditions: list[Condition]

    def find(self, kind: str, strength: int) -> Condition | None:
        return next((one for one in self.conditions if one.place == (kind, strength)), None)


def read_robustness(folder: JobFolder, result: Result) -> JobRobustness | None:
    """Read what is kept; None where there is nothing of this result, or it was defined otherwise.

    Raises:
        UnreadableError: the file is damaged.
    """
    try:
        found = read_document(folder.robustness, JobRobustness)
        for condition in found.conditions:
            check_means(condition.metrics, condition.images)
    except FileNotFoundError:
        return None
    except UnreadableError as error:
        raise UnreadableError(f"{folder.robustness.name} is damaged ({error}); delete it and measure again") from error
    fits = (found.version, found.key, found.result) == (SCHEMA, result.key, digest_of(result))
    return found if fits else None


def write_robustness(folder: JobFolder, result: Result, conditions: Sequence[Condition]) -> JobRobustness:
    """Write all conditions that were measured, in one step."""
    document = JobRobustness(version=SCHEMA, key=result.key, result=digest_of(result), conditions=list(conditions))
    write_sealed(folder.robustness, document)
    return document
