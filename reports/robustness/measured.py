"""The jobs of a table with their scores under every corruption, measured where they are not there yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from benchmarks.errors import UserError
from benchmarks.plan.job import EXTERNAL, parse_job
from benchmarks.robustness import CONDITIONS, STRENGTHS, measure_robustness
from benchmarks.run.planned import OpenDatasets
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result
from benchmarks.store.robustness import JobRobustness, read_robustness
from reports.cells import Figure
from reports.collect import RowResults, TableResults
from reports.comparisons import Comparison, compare, corrected
from reports.examined import ExaminedRow, ExaminedTable, examine

METRIC = "pq"


@dataclass(frozen=True)
class MeasuredJob:
    """A finished job and its scores under every condition."""

    result: Result
    robustness: JobRobustness

    def value(self, kind: str, strength: int, metric: str = METRIC) -> float:
        """The mean over images under a condition; strength 0 is the result's own."""
        if strength == 0:
            found = self.result.metrics.get(metric)
        else:
            condition = self.robustness.find(kind, strength)
            found = condition.metrics.get(metric) if condition else None
        return float("nan") if found is None else found

    @property
    def over_conditions(self) -> float:
        """The mean over all conditions."""
        return fmean(self.value(*place) for place in CONDITIONS)


class MeasuredRow(ExaminedRow[MeasuredJob]):
    """A row of the table and those of its jobs that were measured."""

    def curve(self, kind: str) -> list[Figure]:
        """Mean and spread over seeds of each strength, from 0, the images as they are, to 5."""
        found = [Figure.of([job.value(kind, strength) for job in self.jobs]) for strength in (0, *STRENGTHS)]
        return [figure for figure in found if figure is not None]

    @property
    def clean(self) -> Figure | None:
        return Figure.of([job.value("", 0) for job in self.jobs])

    @property
    def worse(self) -> Figure | None:
        """The mean over all conditions, and its spread over seeds."""
        return Figure.of([job.over_conditions for job in self.jobs])

    @property
    def kept(self) -> float | None:
        """The share of the clean figure that is left on average over conditions; None where there was none."""
        return self.worse.mean / self.clean.mean if self.worse and self.clean and self.clean.mean else None


class MeasuredTable(ExaminedTable[MeasuredRow]):
    """The rows of a table that have models."""

    def against_reference(self) -> tuple[Comparison, ...]:
        """Compare each row with the reference by the mean over conditions of each image; corrected over the rows."""
        scored = {row.row.label: _mean_row(row) for row in self.examined}
        reference = scored.get(self.spec.reference)
        found = []
        for label, row in scored.items():
            if reference is not None and label != self.spec.reference:
                try:
                    found.append(compare(row, reference, METRIC))
                except UserError:
                    continue  # rows that share no seed
        return corrected(found)


def measure_table(
    results: TableResults,
    out: Path,
    device: str,
    progress: Callable[[str, int, int], object] = lambda label, done, conditions: None,
) -> MeasuredTable:
    """Score the model of every finished job under every condition, and keep the scores beside its result.

    Args:
        device: where the models compute.
        progress: called with a job's label and seed, its conditions done and conditions in all.

    Raises:
        UserError: no job is finished, or none of those that are can be measured.
    """
    results.refuse_unfinished(out)
    datasets = OpenDatasets()

    def measured(result: Result) -> MeasuredJob:
        folder, job = JobFolder.named(result.key, out), parse_job(result.job)
        what = f"{result.label or result.method}, seed {result.seed}"
        if (found := read_robustness(folder, result)) is not None and _is_whole(found):
            return MeasuredJob(result, found)  # no data are needed
        found = measure_robustness(
            job, result, datasets.of(job), folder, device, lambda done, conditions: progress(what, done, conditions)
        )
        return MeasuredJob(result, found)

    table = _table(results, measured)
    table.refuse_empty(out, "can be measured", "no row has a model")
    return table


def read_measured(results: TableResults, out: Path) -> MeasuredTable | None:
    """Read the scores that are kept and measure none; None where no job has all of them."""

    def kept(result: Result) -> MeasuredJob:
        found = read_robustness(JobFolder.named(result.key, out), result)
        if found is None or not _is_whole(found):
            raise UserError(f"not measured: `pctrans-bench robustness {results.spec.name} --out {out}` does")
        return MeasuredJob(result, found)

    table = _table(results, kept)
    return table if table.examined else None


def _is_whole(found: JobRobustness) -> bool:
    return all(found.find(*place) for place in CONDITIONS)


def _table(results: TableResults, measured: Callable[[Result], MeasuredJob]) -> MeasuredTable:
    # Label maps that were made elsewhere have no model to test.
    rows = (row for row in results.rows if row.method and row.method != EXTERNAL)
    return MeasuredTable(results.spec, tuple(MeasuredRow(row, *examine(row.results, measured)) for row in rows))


def _mean_row(measured: MeasuredRow) -> RowResults:
    """The row with each image's mean over all conditions in the place of its score, so that rows can be paired."""
    return replace(measured.row, results=tuple(_mean_result(job) for job in measured.jobs))


def _mean_result(job: MeasuredJob) -> Result:
    images = [
        {"id": image["id"], METRIC: fmean(one.images[place][METRIC] for one in job.robustness.conditions)}
        for place, image in enumerate(job.result.images)
    ]
    fields = {name: getattr(job.result, name) for name in Result.model_fields}
    return Result.model_construct(**fields | {"images": images})  # a copy would keep the scores of before
