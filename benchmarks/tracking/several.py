"""Jobs that belong to several tables and are run together are told below each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tracking.tracker import Tracker


@dataclass(frozen=True)
class TrackedTable:
    """Holds a table's parameters, and the keys of its jobs."""

    parameters: Mapping[str, Any]
    keys: frozenset[str]


class TablesTracker:
    """Knows which tables a job belongs to, and sends it below the run of each.

    Args:
        tracker: to send with.
        tables: by name.
    """

    def __init__(self, tracker: Tracker, tables: Mapping[str, TrackedTable]) -> None:
        self.tracker, self.tables = tracker, tables

    @property
    def uri(self) -> str:
        return self.tracker.uri

    def start(self) -> None:
        """Mark every table's run as running."""
        for name, table in self.tables.items():
            self.tracker.start_table(name, table.parameters)

    def sync(self, job_dir: Path) -> bool:
        """Send what is new of one job; return True if MLflow has all of it below each of its tables."""
        complete = True
        for name, table in self.tables.items():
            if job_dir.name in table.keys:
                self.tracker.enter_table(name, table.parameters)
                complete &= self.tracker.sync(job_dir)
        return complete

    def finish(self, name: str, artifacts: Iterable[Path] = (), *, failed: bool = False) -> bool:
        """Mark the run of one table as ended, with the files of its report; return False where that failed."""
        self.tracker.enter_table(name, self.tables[name].parameters)
        return self.tracker.finish_table(artifacts, failed=failed)
