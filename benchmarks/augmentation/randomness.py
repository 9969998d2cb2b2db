"""Random scalars from a CPU generator."""

from __future__ import annotations

import torch


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """Draw a number in [low, high)."""
    return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()


def happens(probability: float, generator: torch.Generator) -> bool:
    """Return True with `probability`: never for 0, always for 1."""
    return uniform(0.0, 1.0, generator) < probability
