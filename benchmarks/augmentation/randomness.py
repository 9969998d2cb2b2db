"""Scalars from a CPU generator."""

from __future__ import annotations

import torch


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number in [low, high)."""
    return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()


def happens(probability: float, generator: torch.Generator) -> bool:
    """True with `probability`; 0 is never and 1 is always."""
    return uniform(0.0, 1.0, generator) < probability
