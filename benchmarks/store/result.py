"""How a job ended: `result.json` and `error.json`, the schemas that everything else reads."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from statistics import fmean
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from benchmarks.store.checksums import Checksums
from benchmarks.store.documents import Document, SealedDocument, UnreadableError

SCHEMA = 1
"""The version of result.json. It is raised when an entry changes its meaning; new entries have a default."""

ROUNDING = 1e-9
"""How far a mean may be from that of the images: versions may have summed in another order."""

# A key becomes a folder's name, so it must not lead out of the results.
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class DatasetFacts(Document):
    """What a job was tested on."""

    spec: str
    name: str | None = None
    fingerprint: str | None = None
    decoding: str | None = None
    split: str
    images: int
    instances: int
    normalisation: str | None = None


class Cost(Document):
    """What a job cost; None where there is nothing to count."""

    parameters: int | None = None
    flops_per_crop: int | None = None
    """Floating-point operations of the forward and the backward pass of one training crop."""
    iterations: int
    train_seconds: float
    seconds_per_iteration: float | None = None
    seconds_per_image: float | None = None
    peak_memory_bytes: int | None = None


class ThresholdTrial(Document):
    """One setting of a method's thresholds."""

    values: dict[str, float | None]
    """Fields of the method's inference; None stands for what the method then takes."""
    pq: float
    """Mean panoptic quality over the images that choose."""


class ThresholdChoice(Document):
    """How the thresholds of a model were chosen after its training; also what thresholds.json holds."""

    configured: ThresholdTrial
    chosen: ThresholdTrial
    split: str
    images: int
    searched: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Each threshold's range."""
    trials: tuple[ThresholdTrial, ...]
    """In the order in which they were tried; the first is the configured one."""
    seconds: float = 0.0

    @classmethod
    def among(
        cls,
        trials: Sequence[ThresholdTrial],
        *,
        split: str,
        images: int,
        searched: Mapping[str, tuple[float, float]],
        seconds: float,
    ) -> ThresholdChoice:
        """Choose the trial of the highest PQ, of equals the earliest."""
        return cls(
            configured=trials[0],
            chosen=max(trials, key=lambda trial: trial.pq),
            split=split,
            images=images,
            searched=dict(searched),
            trials=tuple(trials),
            seconds=seconds,
        )


class Result(SealedDocument):
    """A job's result.json."""

    LEFT_OUT: ClassVar[frozenset[str]] = frozenset({"seal", "checksums"})

    version: int = Field(alias="schema")
    key: Key
    label: str | None = None
    job: dict[str, Any]
    """`Job.resolved`: the key and every field."""
    dataset: DatasetFacts
    thresholds: ThresholdChoice | None = None
    """Absent from results of before there was a choice."""
    metrics: dict[str, float | None]
    """Means over the images."""
    images: list[dict[str, Any]]
    """A row for each image: id, counts and metrics."""
    cost: Cost
    environment: dict[str, Any]
    started: str | None = None
    finished: str | None = None
    checksums: Checksums | None = None
    """Of the job's files when it was done; absent from results of before there were any."""

    @property
    def seed(self) -> int:
        return int(self.job["seed"])

    @property
    def method(self) -> str:
        return str(self.job["method"])

    @cached_property
    def scores(self) -> dict[str, dict[str, float]]:
        """Metric -> image -> score; no entry for an image that has none, or none that is a finite number."""
        found: dict[str, dict[str, float]] = {}
        for image in self.images:
            id = str(image.get("id"))
            for name, value in image.items():
                if isinstance(value, int | float) and math.isfinite(value):
                    found.setdefault(name, {})[id] = float(value)
        return found


class AddedMetrics(SealedDocument):
    """A job's added_metrics.json: metrics that were defined after its result was written, which never changes."""

    key: Key
    metrics: dict[str, float | None]
    """Means over the images."""
    images: list[dict[str, Any]]
    """A row for each image of the result, in its order: id and metrics."""

    def joined(self, result: Result) -> Result:
        """The result with these metrics beside its own; it has the last word where both have one.

        Raises:
            ValueError: they are of another job or of other images.
        """
        if self.key != result.key or [row.get("id") for row in self.images] != [row.get("id") for row in result.images]:
            raise ValueError("added_metrics.json is of another job or of other images")
        images = [added | row for added, row in zip(self.images, result.images, strict=True)]
        return result.model_copy(update={"metrics": {**self.metrics, **result.metrics}, "images": images})


def digest_of(result: Result) -> str:
    """The SHA-256 (hex) of the PQ of every image: other weights give another."""
    scored = [[str(image.get("id")), image.get("pq")] for image in result.images]
    return hashlib.sha256(json.dumps(scored).encode()).hexdigest()


def check_means(metrics: Mapping[str, float | None], images: Sequence[Mapping[str, Any]]) -> None:
    """Compute the means of metrics over images again.

    Args:
        metrics: the means as stated; those that not every image has are left alone.
        images: a row of metrics for each.

    Raises:
        UnreadableError: a mean is not that of its images.
    """
    for name, stated in metrics.items():
        values = [image.get(name) for image in images]
        numbers = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
        if stated is None or not numbers or len(numbers) < len(values):
            continue
        mean = fmean(numbers)
        if not abs(mean - stated) <= ROUNDING * max(1.0, abs(mean)):
            raise UnreadableError(
                f"the mean of {name} is said to be {stated:.6g}, but that of its images is {mean:.6g}"
            )


class Failure(Document):
    """A job's error.json."""

    type: str
    message: str
    traceback: str = ""
    """Or the end of the output of a process that had no time for one."""
    when: str | None = None

    @property
    def summary(self) -> str:
        return f"{self.type}: {self.message}"
