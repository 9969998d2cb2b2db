"""Sending everything that a results' folder holds and MLflow does not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError
from benchmarks.tracking.ledger import read_table
from benchmarks.tracking.tracker import Tracker


@dataclass(frozen=True)
class TrackReport:
    """Numbers of jobs, a job of two tables counted in both.

    Attributes:
        sent: were sent now, in whole or in part.
        present: had been sent before.
        failed: could not be sent.
    """

    sent: int
    present: int
    failed: int


def send_all(out: Path, tracking_uri: str | None = None) -> TrackReport:
    """Send every job below `out`/jobs, those of a table (`out`/runs/TABLE.json) below the table's run.

    Raises:
        UserError: there are no jobs, a table's file is not readable, or the URI is of a kind MLflow refuses.
    """
    jobs = {path.parent.name: path.parent for path in sorted((out / "jobs").glob("*/job.json"))}
    if not jobs:
        raise UserError(f"{out / 'jobs'}: no jobs found; expected the --out folder of an earlier run.")
    tracker = Tracker(out, tracking_uri)
    outcomes: Counter[str] = Counter()
    in_tables: set[str] = set()
    for path in sorted((out / "runs").glob("*.json")):
        table, parameters, keys = _table(path)
        members = [jobs[key] for key in keys if key in jobs]
        tracker.enter_table(table, read_table(out, table).get("parameters", parameters))
        outcomes.update(_deliver(tracker, members))
        if len(members) == len(keys) and all((member / "result.json").exists() for member in members):
            tracker.finish_table()
        in_tables.update(keys)
    tracker.enter_table(None, {})
    outcomes.update(_deliver(tracker, [job for key, job in jobs.items() if key not in in_tables]))
    return TrackReport(outcomes["sent"], outcomes["present"], outcomes["failed"])


def _deliver(tracker: Tracker, jobs: Iterable[Path]) -> list[str]:
    return [tracker.deliver(job) for job in jobs]


def _table(path: Path) -> tuple[str, dict[str, Any], list[str]]:
    """Name, parameters and job keys of a table."""
    try:
        content = json.loads(path.read_text())
        parameters = {name: value for name, value in content.items() if name not in ("table", "jobs", "rows")}
        return str(content["table"]), parameters, [str(key) for key in content["jobs"]]
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as problem:
        raise UserError(f"{path}: expected the jobs of a table, as `run` writes them ({problem!r}).") from problem
