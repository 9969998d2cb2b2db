"""The connection of a results folder to MLflow bears that MLflow is away, or slow."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.files import exclusive
from benchmarks.tracking.addresses import checked_uri, is_inside, shown
from benchmarks.tracking.artifacts import artifacts_of
from benchmarks.tracking.deadline import Deadline
from benchmarks.tracking.identity import folder_id
from benchmarks.tracking.runs import Runs
from benchmarks.tracking.store import connect, prepare, taken_uri

RETRY_AFTER = 300.0
"""Seconds without an attempt after one that failed: a server that is away does not slow a training.

After each further failure it is twice as long, up to LONGEST_PAUSE.
"""
LONGEST_PAUSE = 3600.0
PATIENCE = 60.0
"""Seconds that an attempt may keep a training waiting, whatever the store does."""

logger = logging.getLogger("pctrans_bench")


class Connection:
    """Tries what is to be told, and remembers the folder's runs until something fails.

    Args:
        out: the results' folder.
        uri: a database or a server.
        experiment: MLflow's name for everything that is sent.
        patience: seconds that one attempt may take.

    Raises:
        UserError: the URI is of a kind that MLflow refuses.
    """

    def __init__(self, out: Path, uri: str, experiment: str, patience: float = PATIENCE) -> None:
        self.out, self.uri = out, checked_uri(uri)
        self._experiment = experiment
        self._runs: Runs | None = None
        self._deadline = Deadline(patience)
        self._retry_at, self._failures = 0.0, 0
        self._warned = False

    def attempt(self, action: Callable[[Runs], object]) -> bool:
        """Do it; after any failure warn once, and let RETRY_AFTER seconds pass before the next attempt."""
        if time.monotonic() < self._retry_at:
            return False
        try:
            prepare()
            self._deadline.run(lambda: self._act(action))
        except Exception as problem:
            # A store can fail in many ways (network, database, disk), and none is worth a training. What it holds
            # is asked again: the failure may be a run that somebody deleted.
            self._runs = None
            self._retry_at = time.monotonic() + min(RETRY_AFTER * 2**self._failures, LONGEST_PAUSE)
            self._failures += 1
            self._warn(problem)
            return False
        self._failures = 0
        return True

    def _act(self, action: Callable[[Runs], object]) -> None:
        # Processes that share a table would else make two runs of one job.
        with exclusive(self.out / "tracking.lock"):
            action(self._connected())

    def _connected(self) -> Runs:
        if self._runs is None:
            client, experiment = connect(self.uri, self.out, self._experiment)
            owner = folder_id(self.out)
            artifacts = artifacts_of(client, experiment, taken_uri(self.uri), self.out, owner)
            self._runs = Runs(client, experiment, owner, artifacts, adopts=is_inside(self.uri, self.out))
        return self._runs

    def _warn(self, problem: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        cause: BaseException = problem
        while deeper := cause.__cause__ or cause.__context__:  # MLflow wraps a refused connection many times
            cause = deeper
        reason = shown((str(cause).splitlines() or [""])[0])
        logger.warning(
            "MLflow at %s cannot be told now (%s: %s). Nothing is lost: send it later with"
            " `pctrans-bench track --out %s`.",
            shown(self.uri),
            type(cause).__name__,
            reason,
            shlex.quote(str(self.out)),
        )
