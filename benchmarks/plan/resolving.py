"""From a method, a scale and what the user changes to a job: defaults < scale < overrides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from benchmarks.errors import UserError
from benchmarks.plan.job import Job, JobContext
from benchmarks.plan.methods import Method, configure, describe, get_method, search_space
from benchmarks.plan.nested import merge
from benchmarks.plan.scales import scale_overrides
from benchmarks.plan.starting import StartingModel, refuse_other_shapes, refuse_unfit_start


def make_job(
    method: str,
    context: JobContext,
    *,
    seed: int,
    overrides: Mapping[str, Any] | None = None,
    start: StartingModel | None = None,
) -> Job:
    """Resolve a job: defaults < scale < overrides.

    Args:
        start: a trained model whose weights training starts from; its architecture replaces that of the scale.
        overrides: nested sections `model`, `training`, `testing`, `augmentation`; a value that is not given
            overrides nothing. `augmentation` may be a preset's name.

    Raises:
        UserError: an unknown section or field, a value out of range, a scale that the method is not offered at, or a
            model to start from that does not fit the rest.
    """
    overrides = _checked(overrides or {})
    found, scale = get_method(method), context.scale
    if not found.offered_at(scale):
        raise UserError(f"{found.obstacle(scale)}.")
    sections = _sections(method, scale, context.protocol)
    if start is not None:
        refuse_unfit_start(start, method, found, overrides)
        sections["model"] = dict(start.config)
    sections = merge(sections, overrides)
    config = configure(method, sections["model"])
    model = config.model_dump(mode="json")
    if start is not None:
        refuse_other_shapes(start, found, model)
    searched = _searched(config, overrides, trials=sections["testing"].get("threshold_trials", 0))
    testing = sections["testing"] | ({} if searched is not None else {"threshold_trials": 0, "threshold_images": None})
    try:
        return Job(
            method=method,
            scale=scale,
            protocol=context.protocol,
            seed=seed,
            data=context.data,
            split=context.split,
            model=model,
            training=_training(sections["training"], found, context.device),
            testing=testing,
            augmentation=_resolve_augmentation(sections["augmentation"], scale, context.protocol, method),
            pretrained_digest=pretrained_digest(model),
            provider=found.provider,
            searched=searched,
            started_from=start.weights if start else None,
        )
    except ValidationError as error:
        raise UserError(describe(error, f"job for {method} at scale {scale}")) from error


def refuse_changed_weights(job: Job) -> None:
    """Compare pretrained weights with those that a job was planned with.

    Raises:
        UserError: they are no longer the same, or gone.
    """
    if job.pretrained_digest is not None and pretrained_digest(job.model) != job.pretrained_digest:
        raise UserError(
            "The pretrained weights have changed since this job was planned, or are gone: their SHA-256 is not "
            f"{job.pretrained_digest[:12]}…. Run the command again."
        )


def model_at(method: str, scale: str, protocol: str) -> dict[str, Any]:
    """The resolved configuration of a method at a scale."""
    return configure(method, _sections(method, scale, protocol)["model"]).model_dump(mode="json")


def _sections(method: str, scale: str, protocol: str) -> dict[str, Any]:
    """What the scale sets for a method, and on top what a method of another package sets itself at that scale."""
    found = get_method(method)
    own = found.scales.get(scale, {})
    if unknown := sorted(set(own) - {"model", "training", "testing"}):
        raise UserError(f"{found.provider} sets a section '{unknown[0]}': there are model, training and testing.")
    return merge(scale_overrides(scale, protocol, method), own)


def _checked(overrides: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuses what is no section of a job, and sections that hold no fields."""
    if unknown := sorted(set(overrides) - {"model", "training", "testing", "augmentation"}):
        raise UserError(
            f"'{unknown[0]}' is no section of a job: overrides start with model., training., testing. or augmentation."
        )
    for name, section in overrides.items():
        if not isinstance(section, Mapping) and not (name == "augmentation" and isinstance(section, str)):
            raise UserError(f"the section {name} has to hold fields, such as {name}.…=…, but is {section!r}.")
    return overrides


def _searched(config: BaseModel, overrides: Mapping[str, Any], trials: int) -> dict[str, tuple[float, float]] | None:
    """What is chosen after training. A value that the user gave is not searched; a scale's is where search starts."""
    if (space := search_space(config)) is None:
        return None
    fixed = overrides.get("model", {}).get("inference") or {}
    return {field: limits for field, limits in space.items() if trials and field not in fixed}


def _training(settings: Mapping[str, Any], method: Method, device: str) -> dict[str, Any]:
    """The section with what method and device decide."""
    section = {**settings, **_threads(settings, device)}
    if not method.trained:
        section["iterations"] = 0
    if section.get("precision", "auto") == "auto":
        section["precision"] = _precision(device)
    return section


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


def pretrained_digest(model: Mapping[str, Any]) -> str | None:
    """The SHA-256 (hex) of the local weights that a resolved configuration begins with; None where there are none."""
    pretrained = (model.get("backbone") or {}).get("pretrained") or model.get("checkpoint")
    weights = Path(pretrained) / "model.safetensors" if pretrained else None
    return hashlib.sha256(weights.read_bytes()).hexdigest() if weights and weights.is_file() else None


def _resolve_augmentation(value: Any, scale: str, protocol: str, method: str) -> dict[str, Any]:
    from benchmarks.augmentation.config import ADDED_LATER, PRESETS, AugmentationConfig

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
    kept = {name: value for name, value in resolved.items() if ADDED_LATER.get(name) != value}
    return json.loads(json.dumps(kept))
