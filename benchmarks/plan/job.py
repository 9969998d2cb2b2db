"""A job: one method, trained and tested once, as a value with a key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from benchmarks.errors import UserError
from benchmarks.plan.methods import describe, get_method, resolve_config, search_space
from benchmarks.plan.nested import merge
from benchmarks.plan.scales import scale_overrides
from benchmarks.plan.settings import WHOLE, Settings, TestingSettings, TrainingSettings

# Raised when a change of the code changes the numbers of an unchanged job, so that old results are not reused.
NUMERICS = 5

EXTERNAL = "external"
"""The method of label maps that were made elsewhere; see `benchmarks.plan.external`."""

# What a run records or how it is cut into pieces: without effect on its numbers, so no part of the key.
BOOKKEEPING = {
    "data": {"spec", "name"},
    "training": {"log_every", "checkpoint_every", "validate_every", "validation_images"},
    "testing": {"batch_size"},
}


class DataReference(Settings):
    """Which data, by content: the same files in another folder are the same data."""

    spec: str
    name: str
    fingerprint: str
    decoding: str


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

    @model_validator(mode="after")
    def _check(self) -> Job:
        if self.testing.overlap >= self.tile:
            raise ValueError(f"testing.overlap {self.testing.overlap} has to be below the tile's side, {self.tile}")
        return self

    @property
    def key(self) -> str:
        """Sixteen hex digits that change when anything that decides the numbers does."""
        content = self.model_dump(mode="json", exclude=BOOKKEEPING) | {"numerics": NUMERICS}
        if self.pretrained_digest is not None:
            content["model"] = _without_places(content["model"])
        if self.method == EXTERNAL:
            content["model"]["folder"] = None  # nor where label maps lie, which have a digest too
        if self.provider is None:
            del content["provider"]  # own methods have kept the keys from before there were others
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
        """What job.json holds: the key and every field."""
        return {"key": self.key, **self.model_dump(mode="json")}


def make_job(
    method: str,
    data: DataReference,
    *,
    split: str,
    scale: str,
    protocol: str,
    seed: int,
    overrides: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Job:
    """Resolve a job: defaults < scale < overrides.

    Args:
        overrides: nested sections `model`, `training`, `testing`, `augmentation`; a value that is not given
            overrides nothing. `augmentation` may be a preset's name.
        device: where it will run; decides what the precision "auto" is, and whether threads matter.

    Raises:
        UserError: an unknown section or field, or a value out of range.
    """
    found = get_method(method)
    overrides = overrides or {}
    if unknown := sorted(set(overrides) - {"model", "training", "testing", "augmentation"}):
        raise UserError(
            f"'{unknown[0]}' is no section of a job: overrides start with model., training., testing. or augmentation."
        )
    for name, section in overrides.items():
        if not isinstance(section, Mapping) and not (name == "augmentation" and isinstance(section, str)):
            raise UserError(f"the section {name} has to hold fields, such as {name}.…=…, but is {section!r}.")
    sections = merge(_sections(method, scale, protocol), overrides)
    if not found.trained:
        sections["training"] = sections["training"] | {"iterations": 0}
    model = resolve_config(method, sections["model"])
    searched = _searched(method, model, overrides, trials=sections["testing"].get("threshold_trials", 0))
    if searched is None:
        sections["testing"] = sections["testing"] | {"threshold_trials": 0, "threshold_images": None}
    if sections["training"].get("precision", "auto") == "auto":
        sections["training"] = sections["training"] | {"precision": _precision(device)}
    sections["training"] = sections["training"] | _threads(sections["training"], device)
    try:
        return Job(
            method=method,
            scale=scale,
            protocol=protocol,
            seed=seed,
            data=data,
            split=split,
            model=model,
            training=sections["training"],
            testing=sections["testing"],
            augmentation=_resolve_augmentation(sections["augmentation"], scale, protocol, method),
            pretrained_digest=_digest((model.get("backbone") or {}).get("pretrained") or model.get("checkpoint")),
            provider=found.provider,
            searched=searched,
        )
    except ValidationError as error:
        raise UserError(describe(error, f"job for {method} at scale {scale}")) from error


def parse_job(resolved: Mapping[str, Any]) -> Job:
    """The job behind `Job.resolved`.

    Raises:
        ValueError: it is none.
    """
    return Job.model_validate({name: value for name, value in resolved.items() if name not in ("key", "label")})


def model_at(method: str, scale: str, protocol: str) -> dict[str, Any]:
    """The resolved configuration of a method at a scale."""
    return resolve_config(method, _sections(method, scale, protocol)["model"])


def _sections(method: str, scale: str, protocol: str) -> dict[str, Any]:
    """What the scale sets for a method, and on top what a method of another package sets itself at that scale."""
    found = get_method(method)
    own = found.scales.get(scale, {})
    if unknown := sorted(set(own) - {"model", "training", "testing"}):
        raise UserError(f"{found.provider} sets a section '{unknown[0]}': there are model, training and testing.")
    return merge(scale_overrides(scale, protocol, method), own)


def _searched(
    method: str, model: Mapping[str, Any], overrides: Mapping[str, Any], trials: int
) -> dict[str, tuple[float, float]] | None:
    """What is chosen after training. A value that the user gave is not searched; a scale's is where search starts."""
    if (space := search_space(method, model)) is None:
        return None
    fixed = overrides.get("model", {}).get("inference") or {}
    return {field: limits for field, limits in space.items() if trials and field not in fixed}


def _without_places(model: dict[str, Any]) -> dict[str, Any]:
    """Where weights lie is no part of a key: they have a digest."""
    if model.get("backbone"):
        model = model | {"backbone": model["backbone"] | {"pretrained": None}}
    return {name: value for name, value in model.items() if name != "checkpoint"}


def _threads(training: Mapping[str, Any], device: str) -> dict[str, None]:
    """What a device decides of the threads."""
    if device.partition(":")[0] != "cpu":
        return {"threads": None}
    if training.get("threads", 0) is None:
        raise UserError("training.threads decides the numbers on a CPU: give it a number, such as 2.")
    return {}


def _precision(device: str) -> str:
    """What "auto" is on a device."""
    if not device.startswith("cuda"):
        return "float32"
    import torch

    if not torch.cuda.is_available():
        raise UserError(
            "the precision 'auto' depends on the accelerator, and the job's is not on this machine: say which it is, "
            "--set training.precision=bfloat16 or --set training.precision=float32."
        )
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"


def _digest(pretrained: str | None) -> str | None:
    weights = Path(pretrained) / "model.safetensors" if pretrained else None
    return hashlib.sha256(weights.read_bytes()).hexdigest() if weights and weights.is_file() else None


def _resolve_augmentation(value: Any, scale: str, protocol: str, method: str) -> dict[str, Any]:
    from benchmarks.augmentation.config import PRESETS, AugmentationConfig

    preset, changes = (value, {}) if isinstance(value, str) else (None, dict(value))
    preset = preset or changes.pop("preset", None) or scale_overrides(scale, protocol, method)["augmentation"]
    if preset not in PRESETS:
        raise UserError(f"There is no augmentation '{preset}': there are {', '.join(sorted(PRESETS))}.")
    known = asdict(PRESETS[preset])
    if unknown := sorted(set(changes) - set(known)):
        raise UserError(f"augmentation.{unknown[0]}: there is no such field; there are {', '.join(known)}.")
    try:
        resolved = asdict(AugmentationConfig(**{**known, **changes}))
    except (TypeError, ValueError) as error:
        raise UserError(f"The augmentation is not valid: {error}") from error
    return json.loads(json.dumps(resolved))
