"""What a results folder holds of the jobs of a figure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures.facts import RowFacts
from benchmarks.figures.specs import FigureSpec
from benchmarks.plan.expansion import Plan
from benchmarks.plan.job import EXTERNAL
from benchmarks.plan.methods import get_method


@dataclass(frozen=True)
class Source:
    """A row of a figure and its job's folder.

    Attributes:
        scores: PQ by test image, of images with true objects; empty without a result.
    """

    facts: RowFacts
    folder: Path
    scores: dict[str, float]

    @property
    def done(self) -> bool:
        return self.facts.reason is None


def find_sources(spec: FigureSpec, plan: Plan, out: Path) -> list[Source]:
    """The rows in the order in which they are drawn, finished or not.

    A figure of all rows also has the label maps from elsewhere that the table was run with on these data.
    """
    chosen = [
        _source(planned.row, planned.label, planned.job.method, planned.job.folder(out)) for planned in plan.chosen
    ]
    if spec.rows is None:
        return chosen + _external(plan, out)
    return sorted(chosen, key=lambda source: (spec.rows or []).index(source.facts.label))


def _external(plan: Plan, out: Path) -> list[Source]:
    try:
        run = json.loads((out / "runs" / f"{plan.table.name}.json").read_text())
        if run["data"]["fingerprint"] != plan.data.fingerprint:
            return []
        rows = [(int(row["row"]), str(row["label"]), str(row["keys"][0])) for row in run["rows"] if _is_external(row)]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return []  # the report of the table itself is where a damaged file is complained of
    return [_source(row, label, EXTERNAL, out / "jobs" / Path(key).name) for row, label, key in rows]


def _is_external(row: dict[str, Any]) -> bool:
    return row.get("method") == EXTERNAL


def _source(row: int, label: str, method: str, folder: Path) -> Source:
    scores, reason = _outcome(folder)
    trained = method != EXTERNAL and get_method(method).trained
    return Source(
        RowFacts(row=row, label=label, method=method, trained=trained, key=folder.name, reason=reason), folder, scores
    )


def _outcome(folder: Path) -> tuple[dict[str, float], str | None]:
    """PQ by image of a finished job, or why there is none."""
    try:
        if (folder / "result.json").is_file():
            images = json.loads((folder / "result.json").read_text())["images"]
            return {str(image["id"]): float(image["pq"]) for image in images if image["truth"]}, None
        if (folder / "error.json").is_file():
            failure = json.loads((folder / "error.json").read_text())
            return {}, f"failed: {failure['type']}: {failure['message']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {}, f"result cannot be read: {type(error).__name__}: {error}"
    return {}, "not finished" if folder.is_dir() else "not run"
