"""What a job's folder holds, in the terms of MLflow."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

CURVES = {"losses.csv": "train", "validation.csv": "validation"}
"""Curve files of a job, and the group that their columns are shown under."""

DOCUMENTS = ("job.json", "environment.json", "metrics.csv", "result.json", "error.json")


@dataclass(frozen=True)
class Point:
    """One value of a curve; `seconds` since the job's start."""

    name: str
    value: float
    step: int
    seconds: float


@dataclass(frozen=True)
class JobFolder:
    """A job's folder as it is now: it may still be growing."""

    path: Path
    job: dict[str, Any]
    environment: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None

    @classmethod
    def read(cls, path: Path) -> JobFolder:
        """Raises OSError or ValueError where the folder holds no readable job.json."""
        job = _document(path / "job.json")
        if job is None:
            raise FileNotFoundError(f"{path / 'job.json'}: expected the configuration of a job")
        environment = _document(path / "environment.json") or {}
        return cls(path, job, environment, _document(path / "result.json"), _document(path / "error.json"))

    @property
    def status(self) -> str:
        """MLflow's name for the state: a result counts, whatever went wrong before it."""
        if self.result is not None:
            return "FINISHED"
        return "RUNNING" if self.error is None else "FAILED"

    @property
    def name(self) -> str:
        """What a reader sees in a list of runs."""
        label = (self.result or self.job).get("label") or self.job.get("method", "job")
        return f"{label}, seed {self.job['seed']}" if "seed" in self.job else str(label)

    @property
    def started(self) -> float:
        """Seconds since 1970. The result knows; until then, the time that the configuration was written."""
        stated = _seconds(self.result, "started")
        return (self.path / "job.json").stat().st_mtime if stated is None else stated

    @property
    def finished(self) -> float | None:
        """Seconds since 1970, or None where the job has not ended or does not say when it did."""
        return _seconds(self.result, "finished") or _seconds(self.error, "when")

    def parameters(self) -> dict[str, str]:
        """The configuration, the environment and the thresholds that were chosen, one flat entry for each value."""
        chosen = self._thresholds.get("chosen", {}).get("values", {})
        return (
            dict(flatten(self.job))
            | dict(flatten(self.environment, "environment."))
            | dict(flatten(chosen, "thresholds."))
        )

    def final_metrics(self) -> dict[str, float]:
        """Means over the test images, costs, and PQ on the images that chose thresholds, before and after."""
        groups = {"test": self._section("metrics"), "cost": self._section("cost"), "thresholds": self._choice}
        return {
            metric_name(group, name): number
            for group, values in groups.items()
            for name, value in values.items()
            if (number := finite(value)) is not None
        }

    @property
    def _thresholds(self) -> dict[str, Any]:
        return self._section("thresholds")

    @property
    def _choice(self) -> dict[str, Any]:
        return {f"pq_{name}": self._thresholds.get(name, {}).get("pq") for name in ("configured", "chosen")}

    def _section(self, name: str) -> dict[str, Any]:
        """Of the result; empty where it has none, or there is no result yet."""
        return (self.result or {}).get(name) or {}

    def points(self, file: str, after: int) -> Iterator[Point]:
        """The curves of one file in CURVES, past iteration `after`, without what is not a finite number."""
        source = self.path / file
        if not source.exists():
            return
        whole, _, _half_written = source.read_text().rpartition("\n")
        for row in csv.DictReader(whole.splitlines()):
            step = finite(row.pop("iteration", None))
            if step is None or step <= after:
                continue
            seconds = finite(row.get("seconds")) or 0.0
            for name, text in row.items():
                value = finite(text)
                if value is not None:
                    yield Point(metric_name(CURVES[file], name), value, int(step), seconds)

    def documents(self) -> list[Path]:
        return [path for name in DOCUMENTS if (path := self.path / name).exists()]

    def overlays(self) -> list[Path]:
        return sorted((self.path / "overlays").glob("*.png"))


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """{"a": {"b": 1}} -> ("a.b", 1); an empty mapping and a list are values."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """{"a": {"b": 1}} -> ("a.b", "1"); lists stay whole, as JSON."""
    for path, value in leaves(values, prefix):
        yield path, value if isinstance(value, str) else json.dumps(value)


def metric_name(group: str, name: str) -> str:
    """`group/name`, which MLflow's pages show by group, in the characters that MLflow allows."""
    return f"{group}/{re.sub(r'[^A-Za-z0-9_. -]', '_', name)}"


def finite(value: object) -> float | None:
    """A finite number, also from text; None for anything else."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _document(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as problem:
        raise ValueError(f"{path}: expected JSON ({problem})") from problem
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def _seconds(document: dict[str, Any] | None, field: str) -> float | None:
    try:
        return datetime.fromisoformat((document or {})[field]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None
