"""What has been sent, and where to: small JSON files beside what they speak of."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.files import write_json
from benchmarks.store.job_folder import JobFolder


@dataclass
class Sent:
    """What one MLflow run holds of a job.

    Attributes:
        run_id: MLflow's name of the run.
        started: seconds since 1970; times of curves count from here, so that a point sent twice is the same
            point, which MLflow keeps once.
        iterations: per curve, the last iteration sent.
        status: the last status sent; a job that ended has been sent in full once it is here.
    """

    run_id: str
    started: float
    iterations: dict[str, int] = field(default_factory=dict)
    status: str = "RUNNING"


def read_sent(folder: JobFolder, destination: str) -> Sent | None:
    """What `destination` has of a job; None where it has nothing, or the file is not readable."""
    entry = _read(folder.tracking).get(destination)
    try:
        return Sent(**entry) if isinstance(entry, dict) else None
    except TypeError:
        return None


def write_sent(folder: JobFolder, destination: str, sent: Sent) -> None:
    write_json(folder.tracking, _read(folder.tracking) | {destination: asdict(sent)})


def read_table(out: Path, table: str) -> dict[str, Any]:
    """{"parameters": {...}, "runs": {tracking URI: run id}} of a table; empty where it was never started."""
    entry = _read(out / "tracking.json").get(table)
    return entry if isinstance(entry, dict) and {"parameters", "runs"} <= entry.keys() else {}


def write_table(out: Path, table: str, entry: dict[str, Any]) -> None:
    write_json(out / "tracking.json", _read(out / "tracking.json") | {table: entry})


def _read(path: Path) -> dict[str, Any]:
    """A ledger that is missing or damaged is empty: everything is sent again, to new runs."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
