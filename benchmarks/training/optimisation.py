"""Optimiser and learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from benchmarks.settings import TrainingSettings


def build_optimiser(model: nn.Module, settings: TrainingSettings) -> torch.optim.AdamW:
    """AdamW over all parameters, those under `backbone.` with their own factor on the rate."""
    backbone = [p for name, p in model.named_parameters() if name.startswith("backbone.")]
    rest = [p for name, p in model.named_parameters() if not name.startswith("backbone.")]
    groups = [
        {"params": params, "rate_factor": factor}
        for params, factor in ((rest, 1.0), (backbone, settings.backbone_rate))
        if params
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=_fused(model))


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
