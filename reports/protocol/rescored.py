"""A table's finished jobs, scored again under every protocol variant that applies to their data."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.plan.nested import lookup
from benchmarks.plan.tables import TableSpec
from benchmarks.protocol import Choice, Score, choose, disagreement, open_decodings, rescore
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result
from reports.collect import Gap, RowResults, TableResults


@dataclass(frozen=True)
class RescoredJob:
    """All figures of one job."""

    key: str
    seed: int
    scores: tuple[Score, ...]

    def figure(self, variant: str, metric: str) -> float:
        """Return the mean over images, or the pooled figure."""
        return self._figures[variant, metric]

    @cached_property
    def _figures(self) -> dict[tuple[str, str], float]:
        values: dict[tuple[str, str], list[float]] = {}
        for score in self.scores:
            values.setdefault((score.variant, score.metric), []).append(score.value)
        return {name: statistics.fmean(found) for name, found in values.items()}


@dataclass(frozen=True)
class RescoredRow:
    """One row of the table, scored again.

    Attributes:
        jobs: jobs that were scored again, ordered by seed.
        problems: jobs with a result that could not be scored again, or gave other figures than it says.
    """

    row: RowResults
    jobs: tuple[RescoredJob, ...]
    problems: tuple[Gap, ...]


@dataclass(frozen=True)
class RescoredTable:
    """A table under every variant.

    Attributes:
        tested: the data, split and scale of the jobs, in words.
        choice: variants that apply and those that do not.
    """

    spec: TableSpec
    rows: tuple[RescoredRow, ...]
    tested: str
    choice: Choice

    @property
    def problems(self) -> list[tuple[RescoredRow, Gap]]:
        return [(row, problem) for row in self.rows for problem in row.problems]


def rescore_table(
    results: TableResults, out: Path, progress: Callable[[int, int], None] | None = None
) -> RescoredTable:
    """Score OUT/jobs/<key>/predictions of every finished job again; nothing is written.

    A job whose predictions are missing or damaged, or whose figures under this project's own protocol are no longer
    those of its result.json, becomes a problem of its row, and none of its figures is shown.

    Args:
        progress: called with jobs done and jobs in all.

    Raises:
        UserError: no job is finished or none can be scored again, or the data of the jobs cannot be opened.
    """
    results.refuse_unfinished(out)
    first = results.results[0]
    datasets = _open(first)
    own = datasets[str(first.dataset.decoding)]
    choice = choose(
        data=own.name,
        decoding=own.decoding,
        decodings=own.decodings,
        protocol=str(first.job.get("protocol", own.protocol)),
    )
    done = 0

    def scored(result: Result) -> RescoredJob | Gap:
        nonlocal done
        found = _rescored(result, first, datasets, choice, out)
        done += 1
        if progress:
            progress(done, len(results.results))
        return found

    rows = [_row(row, [scored(result) for result in row.results]) for row in results.rows if row.method]
    if not any(row.jobs for row in rows):
        reasons = "; ".join(f"job {problem.key}: {problem.reason}" for row in rows for problem in row.problems)
        raise UserError(f"No finished job of {results.spec.name} in {out} can be scored again: {reasons}.")
    tested = (
        f"{first.dataset.spec}, split {first.dataset.split} ({first.dataset.images} images, decoding "
        f"{own.decoding}), scale {first.job.get('scale')}"
    )
    return RescoredTable(results.spec, tuple(rows), tested, choice)


def score_lines(table: RescoredTable) -> list[dict[str, Any]]:
    """List every figure on one line: row, label, seed, job, image (or `pooled`), variant, metric, value."""
    return [
        {
            "row": row.row.number,
            "label": row.row.label,
            "seed": job.seed,
            "job": job.key,
            "image": score.image,
            "variant": score.variant,
            "metric": score.metric,
            "value": score.value,
        }
        for row in table.rows
        for job in row.jobs
        for score in job.scores
    ]


def _open(result: Result) -> dict[str, Dataset]:
    try:
        return open_decodings(result.dataset.spec, str(result.dataset.decoding))
    except UserError as error:
        raise UserError(
            f"Job {result.key} was tested on {result.dataset.spec}, whose truth is needed again (a relative path is "
            f"taken from the current folder): {error}"
        ) from error


def _row(row: RowResults, found: list[RescoredJob | Gap]) -> RescoredRow:
    return RescoredRow(
        row,
        tuple(item for item in found if isinstance(item, RescoredJob)),
        tuple(item for item in found if isinstance(item, Gap)),
    )


def _rescored(
    result: Result, first: Result, datasets: dict[str, Dataset], choice: Choice, out: Path
) -> RescoredJob | Gap:
    if _data(result) != _data(first):
        return Gap(result.key, f"tested on other data, decoding or split than job {first.key}")
    try:
        scores = rescore(JobFolder.named(result.key, out).predictions, datasets, result.dataset.split, choice.variants)
    except UserError as error:
        return Gap(result.key, str(error))
    if difference := disagreement(scores, result.images):
        return Gap(result.key, f"{difference}: predictions, data or metrics changed since it was scored")
    return RescoredJob(result.key, result.seed, tuple(scores))


def _data(result: Result) -> tuple[Any, ...]:
    """The facts that have to agree for two jobs to have the same truth."""
    fingerprint = lookup(result.job, "data.fingerprint")
    return fingerprint, result.dataset.decoding, result.dataset.split
