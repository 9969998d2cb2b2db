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
from benchmarks.protocol import Choice, Score, choose, disagreement, open_decodings, rescore
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result
from reports.collect import TableResults
from reports.examined import ExaminedRow, ExaminedTable, examine


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


class RescoredRow(ExaminedRow[RescoredJob]):
    """One row of the table, scored again; a problem is also a job that gave other figures than its result says."""


@dataclass(frozen=True)
class RescoredTable(ExaminedTable[RescoredRow]):
    """A table under every variant.

    Attributes:
        tested: the data, split and scale of the jobs, in words.
        choice: variants that apply and those that do not.
    """

    tested: str
    choice: Choice


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

    def scored(result: Result) -> RescoredJob:
        nonlocal done
        done += 1
        if progress:
            progress(done, len(results.results))
        return _rescored(result, first, datasets, choice, out)

    rows = tuple(RescoredRow(row, *examine(row.results, scored)) for row in results.rows if row.method)
    tested = (
        f"{first.dataset.spec}, split {first.dataset.split} ({first.dataset.images} images, decoding "
        f"{own.decoding}), scale {first.job.get('scale')}"
    )
    table = RescoredTable(results.spec, rows, tested, choice)
    table.refuse_empty(out, "can be scored again", "no row was run")
    return table


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


def _rescored(result: Result, first: Result, datasets: dict[str, Dataset], choice: Choice, out: Path) -> RescoredJob:
    if _data(result) != _data(first):
        raise UserError(f"tested on other data, decoding or split than job {first.key}")
    scores = rescore(JobFolder.named(result.key, out).predictions, datasets, result.dataset.split, choice.variants)
    if difference := disagreement(scores, result.images):
        raise UserError(f"{difference}: predictions, data or metrics changed since it was scored")
    return RescoredJob(result.key, result.seed, tuple(scores))


def _data(result: Result) -> tuple[Any, ...]:
    """The facts that have to agree for two jobs to have the same truth."""
    fingerprint = lookup(result.job, "data.fingerprint")
    return fingerprint, result.dataset.decoding, result.dataset.split
