"""Rates, times for people, and a throttle."""

from __future__ import annotations

import time
from collections.abc import Callable


class Rate:
    """Steps a second since the last (re)start of the clock.

    Attributes:
        value: the rate; None before the second update.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.value: float | None = None
        self._clock = clock
        self._first: tuple[float, int] | None = None

    def update(self, done: int) -> None:
        """Tell how many steps are done."""
        now = self._clock()
        if self._first is None:
            self._first = now, done
        elif done > self._first[1] and now > self._first[0]:
            self.value = (done - self._first[1]) / (now - self._first[0])

    def restart(self) -> None:
        """Leave out the time until the next update."""
        self._first = None

    def seconds(self, steps: int) -> float | None:
        """How long so many steps will take."""
        return steps / self.value if self.value else None


class Throttle:
    """Calls a function at most every `seconds`; the first time after as long."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter):
        self.seconds, self._clock = seconds, clock
        self._last = clock()

    def __call__(self, action: Callable[[], object]) -> None:
        if self._clock() - self._last >= self.seconds:
            action()
            self._last = self._clock()


def duration(seconds: float | None) -> str:
    """A time for people; ? where it is not known."""
    if seconds is None:
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
