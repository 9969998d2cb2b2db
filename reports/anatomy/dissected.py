"""A table's finished jobs with the anatomy of their errors: read where it is stored, measured where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.anatomy import measure_errors
from benchmarks.data import Dataset, open_dataset
from benchmarks.errors import UserError
from benchmarks.metrics.mending import Costs, ap_costs, pq_costs
from benchmarks.store.anatomy import ImageErrors, JobErrors
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result
from reports.collect import RowResults, TableResults
from reports.examined import ExaminedRow, ExaminedTable, examine


@dataclass(frozen=True)
class DissectedImage:
    """One image of a job: its errors and what they cost."""

    errors: ImageErrors
    pq: Costs
    ap: Costs


@dataclass(frozen=True)
class DissectedJob:
    """One job."""

    result: Result
    errors: JobErrors
    images: tuple[DissectedImage, ...]


class DissectedRow(ExaminedRow[DissectedJob]):
    """A row of the table that was run.

    `row` has the results of `jobs` only; among the scores of each image is `pq_KIND`, what it lost to a kind.
    """


class DissectedTable(ExaminedTable[DissectedRow]):
    """A table's rows with their errors."""

    @property
    def reference(self) -> DissectedRow | None:
        """The row that the others are compared with; None where it has no job."""
        return next((row for row in self.rows if row.row.label == self.spec.reference and row.jobs), None)


def dissect_table(
    results: TableResults, out: Path, progress: Callable[[int, int], object] | None = None
) -> DissectedTable:
    """Read the errors of a table's jobs, and measure and store those that are not there.

    Args:
        progress: called with jobs done and jobs in all.

    Raises:
        UserError: no job is finished, or none of those that are can be dissected.
    """
    results.refuse_unfinished(out)
    datasets: dict[tuple[str, str | None], Dataset] = {}
    done = 0

    def dissected(result: Result) -> DissectedJob:
        nonlocal done
        found = stored_or_measured(JobFolder.named(result.key, out), result, datasets)
        done += 1
        if progress:
            progress(done, len(results.results))
        return _job(result, found)

    table = _table(results, dissected)
    table.refuse_empty(out, "can be dissected", "no row was run")
    return table


def read_dissected(results: TableResults, out: Path) -> DissectedTable | None:
    """Read the errors that are stored and measure none; None where no job has any."""

    def kept(result: Result) -> DissectedJob:
        found = JobFolder.named(result.key, out).read_errors(result)
        if found is None:
            raise UserError(
                f"its errors were not measured: `pctrans-bench errors {results.spec.name} --out {out}` does"
            )
        return _job(result, found)

    table = _table(results, kept)
    return table if table.examined else None


def stored_or_measured(folder: JobFolder, result: Result, datasets: dict[tuple[str, str | None], Dataset]) -> JobErrors:
    """Read a job's errors, or measure and store them.

    Args:
        datasets: those that are open, by spec and decoding; others are added.

    Raises:
        UnreadableError: errors.json is damaged.
        UserError: label maps or data are gone, or no longer what was scored.
    """
    if found := folder.read_errors(result):
        return found
    place = (result.dataset.spec, result.dataset.decoding)
    if place not in datasets:
        try:
            datasets[place] = open_dataset(result.dataset.spec, decoding=result.dataset.decoding)
        except UserError as error:
            raise UserError(
                f"it was tested on {result.dataset.spec}, whose truth is needed again (a relative path is taken from "
                f"the current folder): {error}"
            ) from error
    found = measure_errors(folder, result, datasets[place])
    folder.write_errors(found)
    return found


def _table(results: TableResults, dissected: Callable[[Result], DissectedJob]) -> DissectedTable:
    return DissectedTable(results.spec, tuple(_row(row, dissected) for row in results.rows if row.method))


def _row(row: RowResults, dissected: Callable[[Result], DissectedJob]) -> DissectedRow:
    jobs, problems = examine(row.results, dissected)
    return DissectedRow(replace(row, results=tuple(_with_losses(job) for job in jobs)), jobs, problems)


def _job(result: Result, errors: JobErrors) -> DissectedJob:
    images = tuple(DissectedImage(one, pq_costs(one.counts), ap_costs(one.counts)) for one in errors.images)
    return DissectedJob(result, errors, images)


def _with_losses(job: DissectedJob) -> Result:
    """The result with what each image lost to each kind among its scores, so that rows can be paired by it."""
    images = [
        row | {loss_name(kind): share for kind, share in image.pq.shares.items()}
        for row, image in zip(job.result.images, job.images, strict=True)
    ]
    fields = {name: getattr(job.result, name) for name in Result.model_fields}
    return Result.model_construct(**fields | {"images": images})  # a copy would keep the scores of before


def loss_name(kind: str) -> str:
    """The score's name of what an image lost to a kind."""
    return f"pq_{kind}"
