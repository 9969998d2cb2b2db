"""The finished and unfinished jobs of a figure in a results folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import UserError
from benchmarks.figures.facts import RowFacts
from benchmarks.figures.specification import FigureSpec
from benchmarks.plan.expansion import Plan
from benchmarks.plan.job import EXTERNAL
from benchmarks.plan.methods import get_method
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.run_file import read_run


@dataclass(frozen=True)
class Source:
    """A row of a figure and its job's folder.

    Attributes:
        scores: PQ of each test image that has true objects; empty without a result.
    """

    facts: RowFacts
    folder: JobFolder
    scores: dict[str, float]

    @property
    def done(self) -> bool:
        return self.facts.reason is None


def find_sources(spec: FigureSpec, plan: Plan, out: Path) -> list[Source]:
    """Find the figure's rows, finished or not, in the order in which they are drawn.

    A figure of all rows also shows the label maps made elsewhere that the table was run with on these data.
    """
    chosen = [
        _source(planned.row, planned.label, planned.job.method, JobFolder.of(planned.job, out))
        for planned in plan.chosen
    ]
    if spec.rows is None:
        return chosen + _external(plan, out)
    return sorted(chosen, key=lambda source: (spec.rows or []).index(source.facts.label))


def _external(plan: Plan, out: Path) -> list[Source]:
    try:
        run = read_run(out, plan.table.name)
    except UserError:
        return []  # the report of the table itself complains of a damaged file
    if run is None or run.data.fingerprint != plan.data.fingerprint:
        return []
    rows = [row for row in run.rows if row.method == EXTERNAL and row.keys]
    return [
        _source(number, row.label or "", EXTERNAL, JobFolder.named(row.keys[0], out))
        for number, row in enumerate(rows, len(plan.table.rows) + 1)
    ]


def _source(row: int, label: str, method: str, folder: JobFolder) -> Source:
    scores, reason = _read_scores(folder)
    trained = method != EXTERNAL and get_method(method).trained
    return Source(
        RowFacts(row=row, label=label, method=method, trained=trained, key=folder.key, reason=reason), folder, scores
    )


def _read_scores(folder: JobFolder) -> tuple[dict[str, float], str | None]:
    """Read the PQ of each image of a finished job, or say why there is none."""
    try:
        if result := folder.read_result():
            return {str(image["id"]): float(image["pq"]) for image in result.images if image["truth"]}, None
        if failure := folder.read_failure():
            return {}, f"failed: {failure.summary}"
    except (ValueError, KeyError, TypeError) as error:
        return {}, str(error)
    return {}, "not finished" if folder.state == "unfinished" else "not run"
