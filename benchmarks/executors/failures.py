"""Failures in other processes that share the work: they are told here and not repeated."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.execution import Outcome
from benchmarks.expansion import PlannedJob


def read_failure(folder: Path) -> Outcome | None:
    """The failure that a job's folder tells of."""
    try:
        error = json.loads((folder / "error.json").read_text())
        return Outcome("failed", f"{error['type']}: {error['message']}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as damage:
        return Outcome("failed", f"{folder / 'error.json'} cannot be read ({damage})")


class Failures:
    """Tells failures since it was made from those of earlier commands, which are tried again.

    A failure is told apart by the time of its file, compared with itself only: clocks of machines differ.
    """

    def __init__(self, jobs: Iterable[PlannedJob], out: Path):
        self._out = out
        self._before = {planned.job.key: self._time(planned) for planned in jobs}

    def new(self, planned: PlannedJob) -> Outcome | None:
        """How a job failed elsewhere meanwhile."""
        if self._time(planned) in (None, self._before[planned.job.key]):
            return None
        return read_failure(planned.job.folder(self._out))

    def _time(self, planned: PlannedJob) -> int | None:
        try:
            return (planned.job.folder(self._out) / "error.json").stat().st_mtime_ns
        except FileNotFoundError:
            return None
