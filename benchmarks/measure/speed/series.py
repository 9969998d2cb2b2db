"""Timing one thing several times."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

LEAST = 2
"""Timed runs however long one takes: a single one says nothing about the spread."""


@dataclass(frozen=True)
class Series:
    """Seconds of repeated runs of one thing in one process, the first, untimed one not among them."""

    name: str
    seconds: list[float]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The fastest and the slowest run."""
        return min(self.seconds), max(self.seconds)


def repeat(name: str, function: Callable[[], object], *, most: int, budget: float) -> Series:
    """Run `function` once untimed, then up to `most` times, until `budget` seconds are spent; at least twice."""

    def timed() -> float:
        begun = time.perf_counter()
        function()
        return time.perf_counter() - begun

    left = budget - timed()
    seconds: list[float] = []
    while len(seconds) < max(most, LEAST) and (left > 0 or len(seconds) < LEAST):
        seconds.append(timed())
        left -= seconds[-1]
    return Series(name, seconds)
