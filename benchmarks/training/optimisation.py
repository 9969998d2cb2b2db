"""Optimiser and learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from benchmarks.plan.settings import TrainingSettings


def build_optimiser(model: nn.Module, settings: TrainingSettings) -> torch.optim.AdamW:
    """AdamW over all parameters, those under `backbone.` with their own factor on the rate.

    Weights of linear layers, convolutions and attention decay. Norms do not, as in the released code, nor embeddings,
    as in Mask2Former, nor biases.
    """
    decaying = _decaying(model)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        factor = settings.backbone_rate if name.startswith("backbone.") else 1.0
        decay = settings.weight_decay if name in decaying else 0.0
        groups.setdefault((factor, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "rate_factor": factor, "weight_decay": decay} for (factor, decay), p in groups.items()],
        lr=settings.learning_rate,
        fused=_fused(model),
    )


def _decaying(model: nn.Module) -> set[str]:
    """Names of the parameters that are weights of a map from features to features."""
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.MultiheadAttention)
    return {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        if isinstance(module, kinds)
        for name in ("weight", "in_proj_weight")
        if isinstance(getattr(module, name, None), nn.Parameter)
    }


def _fused(model: nn.Module) -> bool:
    return all(p.device.type in ("cpu", "cuda") for p in model.parameters())


def learning_rate(iteration: int, settings: TrainingSettings) -> float:
    """The rate of an iteration, 0-based: linear warm-up, then the schedule."""
    rate = settings.learning_rate
    done = iteration / max(settings.iterations, 1)
    if settings.schedule == "step":
        rate *= 0.1 ** sum(done >= milestone for milestone in settings.milestones)
    elif settings.schedule == "polynomial":
        rate *= (1 - done) ** 0.9
    elif settings.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * done))
    return rate * min(1.0, (iteration + 1) / max(settings.warmup_iterations, 1))


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["rate_factor"]
