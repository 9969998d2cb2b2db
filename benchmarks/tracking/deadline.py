"""What waits for another machine is waited for so long and no longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Deadline:
    """Runs actions one at a time, each in a thread, and goes on without one that takes too long.

    A limit for each answer is none for all: a server may answer each request late, send its answer byte by byte, or ask
    to come back in an hour. What is not waited for any longer goes on until the process ends; until then, no other
    action begins.

    Args:
        seconds: for one action, and what is left of the one before it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._thread: threading.Thread | None = None

    def run(self, action: Callable[[], object]) -> None:
        """Run an action to its end.

        Raises:
            TimeoutError: it, or the one before it, has not ended.
            BaseException: what the action raises.
        """
        until = time.monotonic() + self.seconds
        self._wait(until)
        problems: list[BaseException] = []

        def act() -> None:
            try:
                action()
            except BaseException as problem:
                problems.append(problem)

        # A daemon does not keep the process from ending.
        self._thread = threading.Thread(target=act, name="tracking", daemon=True)
        self._thread.start()
        self._wait(until)
        if problems:
            raise problems[0]

    def _wait(self, until: float) -> None:
        if self._thread is None:
            return
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            raise TimeoutError(f"no end after {self.seconds:.0f} seconds")
        self._thread = None
