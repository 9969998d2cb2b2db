"""A job: one method, trained and tested once, as a value with a key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import model_validator

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.plan.settings import WHOLE, Settings, TestingSettings, TrainingSettings
from benchmarks.plan.starting import StartingWeights

# Raised when a change of the code changes the numbers of an unchanged job, so that old results are not reused.
NUMERICS = 5
# The same for jobs of one method alone.
NUMERICS_OF_METHOD = {"mask2former": 1, "osformer": 1, "discriminative": 1}

EXTERNAL = "external"
"""The method of label maps that were made elsewhere; see `benchmarks.plan.external`."""

# What a run records or how it is cut into pieces: without effect on its numbers, so no part of the key.
BOOKKEEPING = {
    "data": {"spec", "name"},
    "training": {"log_every", "checkpoint_every", "validate_every", "validation_images"},
    "testing": {"batch_size"},
    "started_from": {"place", "key", "data", "fingerprint"},
}


class DataReference(Settings):
    """Which data, by content: the same files in another folder are the same data."""

    spec: str
    name: str
    fingerprint: str
    decoding: str


@dataclass(frozen=True)
class JobContext:
    """What the jobs of one command share.

    Attributes:
        split: that is tested.
        protocol: crop, augmentation and thresholds.
        device: where jobs will run; decides what the precision "auto" is, and whether threads matter.
    """

    data: DataReference
    split: str
    scale: str
    protocol: str
    device: str = "cpu"

    @classmethod
    def on(cls, dataset: Dataset, scale: str, protocol: str | None = None, device: str = "cpu") -> JobContext:
        """Jobs on a data set, by its own protocol unless another is given."""
        return cls(reference(dataset), dataset.evaluation_split, scale, protocol or dataset.protocol, device)


def reference(dataset: Dataset) -> DataReference:
    """What a job keeps of its data set."""
    return DataReference(
        spec=dataset.spec, name=dataset.name, fingerprint=dataset.fingerprint, decoding=dataset.decoding
    )


def refuse_changed_data(planned: DataReference, dataset: Dataset) -> None:
    """Compare a data set with what a job was planned on.

    Raises:
        UserError: it is no longer the same.
    """
    if dataset.fingerprint != planned.fingerprint:
        raise UserError(
            f"{planned.spec}: the data have changed since this job was planned (fingerprint "
            f"{dataset.fingerprint[:12]}…, not {planned.fingerprint[:12]}…). Run the command again."
        )


class Job(Settings):
    """Everything that decides the numbers, resolved; nothing else."""

    method: str
    scale: str
    protocol: str
    seed: int
    data: DataReference
    split: str
    model: dict[str, Any]
    training: TrainingSettings
    testing: TestingSettings
    augmentation: dict[str, Any]
    pretrained_digest: str | None = None
    """SHA-256 of the local weights that `model.backbone.pretrained` or `model.checkpoint` names: a folder's content
    may change."""
    provider: str | None = None
    """Package and version of a method that is not this project's own."""
    searched: dict[str, tuple[float, float]] | None = None
    """Fields of `model.inference` that are chosen after training, each with its range: those of the method that the
    user did not fix. None: the method has none."""
    started_from: StartingWeights | None = None
    """The trained model whose weights training starts from. None: from fresh ones, or from `pretrained_digest`'s."""

    @model_validator(mode="after")
    def _check(self) -> Job:
        if self.testing.overlap >= self.tile:
            raise ValueError(f"testing.overlap {self.testing.overlap} has to be below the tile's side, {self.tile}")
        return self

    @property
    def key(self) -> str:
        """Sixteen hex digits that change when anything that decides the numbers does."""
        content = self.model_dump(mode="json", exclude=BOOKKEEPING) | {"numerics": NUMERICS}
        if own := NUMERICS_OF_METHOD.get(self.method):
            content["numerics_of_method"] = own
        if self.pretrained_digest is not None:
            content["model"] = _without_places(content["model"])
        if self.method == EXTERNAL:
            content["model"]["folder"] = None  # nor where label maps lie, which have a digest too
        if self.provider is None:
            del content["provider"]  # own methods have kept the keys from before there were others
        if self.started_from is None:
            del content["started_from"]  # as jobs from before there was such a start
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def tile(self) -> int:
        """Side of the tiles that images are tested in."""
        if self.testing.tile == "whole":
            return WHOLE
        return self.testing.tile or self.training.crop

    @property
    def trained(self) -> bool:
        """Whether weights are found by training."""
        return self.training.iterations > 0

    @property
    def choosing_split(self) -> str:
        """The split whose images choose thresholds: never the one that is tested, as is CVPPP A1's validation split."""
        return "train" if self.split == "val" else "val"

    def resolved(self) -> dict[str, Any]:
        """What job.json holds: the key and every field, `started_from` only where there is a start."""
        fields = self.model_dump(mode="json")
        if self.started_from is None:
            del fields["started_from"]  # versions from before there was one read the rest
        return {"key": self.key, **fields}


def parse_job(resolved: Mapping[str, Any]) -> Job:
    """The job behind `Job.resolved`.

    Raises:
        ValueError: it is none.
    """
    return Job.model_validate({name: value for name, value in resolved.items() if name not in ("key", "label")})


def _without_places(model: dict[str, Any]) -> dict[str, Any]:
    """Where weights lie is no part of a key: they have a digest."""
    if model.get("backbone"):
        model = model | {"backbone": model["backbone"] | {"pretrained": None}}
    return {name: value for name, value in model.items() if name != "checkpoint"}
