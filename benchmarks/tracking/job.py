"""A job's folder is read here and put in the terms of MLflow."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.links import refuse_links_in
from benchmarks.plan.nested import flatten
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Failure, Result

CURVES = ("train", "validation")
"""The columns of a job's curves are shown under these names."""


@dataclass(frozen=True)
class Point:
    """Is one value of a curve; `seconds` count from the job's start."""

    name: str
    value: float
    step: int
    seconds: float


@dataclass(frozen=True)
class TrackedData:
    """Is the data of a job: its `fingerprint` is that of what was read, and `source` how it was asked for."""

    name: str
    fingerprint: str
    source: dict[str, str]
    trains: bool


@dataclass(frozen=True)
class TrackedJob:
    """Holds what is in a job's folder now; it may still be growing."""

    folder: JobFolder
    job: dict[str, Any]
    environment: dict[str, Any]
    result: Result | None
    failure: Failure | None

    @classmethod
    def read(cls, folder: JobFolder) -> TrackedJob:
        """Read a job's folder.

        Raises:
            OSError, ValueError: the folder holds no readable job.json.
            UserError: it holds links, which could lead to files that nobody means to send.
        """
        refuse_links_in(folder.path)
        job = _document(folder.description)
        if job is None:
            raise FileNotFoundError(f"{folder.description}: expected the configuration of a job")
        environment = _document(folder.environment) or {}
        return cls(folder, job, environment, folder.read_result(), folder.read_failure())

    @property
    def status(self) -> str:
        """MLflow calls the state so. A result counts, whatever went wrong before it."""
        if self.result is not None:
            return "FINISHED"
        return "RUNNING" if self.failure is None else "FAILED"

    @property
    def name(self) -> str:
        """People see this in a list of runs."""
        label = (self.result.label if self.result else None) or self.job.get("label") or self.job.get("method", "job")
        return f"{label}, seed {self.job['seed']}" if "seed" in self.job else str(label)

    @property
    def started(self) -> float:
        """These are seconds since 1970. Without a result, they say when the configuration was written."""
        stated = _seconds(self.result.started if self.result else None)
        return self.folder.description.stat().st_mtime if stated is None else stated

    @property
    def finished(self) -> float | None:
        """These are seconds since 1970, or None where the job has not ended or does not say when it did."""
        when = self.result.finished if self.result else self.failure.when if self.failure else None
        return _seconds(when)

    @property
    def data(self) -> TrackedData | None:
        """None where the configuration, of another version, does not say."""
        data, training = self.job.get("data"), self.job.get("training")
        if not (isinstance(data, dict) and data.get("name") and data.get("fingerprint")):
            return None
        source = {name: str(data[name]) for name in ("spec", "decoding") if name in data}
        trains = isinstance(training, dict) and bool(training.get("iterations"))
        return TrackedData(str(data["name"]), str(data["fingerprint"]), source, trains)

    def parameters(self) -> dict[str, str]:
        """Return configuration, environment and the thresholds that were chosen, one flat entry for each value."""
        choice = self.result.thresholds if self.result else None
        return (
            dict(flatten(self.job))
            | dict(flatten(self.environment, "environment."))
            | dict(flatten(choice.chosen.values if choice else {}, "thresholds."))
        )

    def final_metrics(self) -> dict[str, float]:
        """Return means over the test images, costs, and PQ on the images that chose thresholds, before and after."""
        if self.result is None:
            return {}
        choice = self.result.thresholds
        chosen = {"pq_configured": choice.configured.pq, "pq_chosen": choice.chosen.pq} if choice else {}
        groups = {"test": self.result.metrics, "cost": self.result.cost.model_dump(), "thresholds": chosen}
        return {
            metric_name(group, name): number
            for group, values in groups.items()
            for name, value in values.items()
            if (number := finite(value)) is not None
        }

    def points(self, curve: str, after: int) -> Iterator[Point]:
        """Yield the points of one of CURVES past iteration `after`, without what is not a finite number."""
        source = self.folder.losses if curve == "train" else self.folder.validation
        if not source.exists():
            return
        whole, _, _half_written = source.read_text(encoding="utf-8").rpartition("\n")
        for row in csv.DictReader(whole.splitlines()):
            step = finite(row.pop("iteration", None))
            if step is None or step <= after:
                continue
            seconds = finite(row.get("seconds")) or 0.0
            for name, text in row.items():
                value = finite(text)
                if value is not None:
                    yield Point(metric_name(curve, name), value, int(step), seconds)

    def documents(self) -> list[Path]:
        """Return the files to look at beside the run."""
        folder = self.folder
        files = (folder.description, folder.environment, folder.scores, folder.result, folder.failure)
        return [path for path in files if path.exists()]

    def overlays(self) -> list[Path]:
        return sorted(self.folder.overlays.glob("*.png"))


def metric_name(group: str, name: str) -> str:
    """Return `group/name`, which MLflow's pages show by group, in the characters that MLflow allows."""
    return f"{group}/{re.sub(r'[^A-Za-z0-9_. -]', '_', name)}"


def finite(value: object) -> float | None:
    """Return a finite number, also from text, and None for anything else."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _document(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as problem:
        raise ValueError(f"{path}: expected JSON ({problem})") from problem
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def _seconds(when: str | None) -> float | None:
    try:
        return datetime.fromisoformat(when or "").timestamp()
    except ValueError:
        return None
