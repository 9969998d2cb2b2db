"""The jobs of a table with their objects by score, looked at where they were not yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.calibration import measure_calibration
from benchmarks.errors import UserError
from benchmarks.metrics.calibration import bin_sums, expected_calibration_error, ranked_average_precision
from benchmarks.metrics.matching import AP_THRESHOLDS_PERCENT
from benchmarks.plan.job import EXTERNAL, parse_job
from benchmarks.plan.methods import get_method
from benchmarks.run.planned import OpenDatasets
from benchmarks.store.calibration import JobCalibration, read_calibration
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result
from reports.cells import Figure
from reports.collect import RowResults, TableResults
from reports.examined import ExaminedRow, ExaminedTable, examine
from reports.statistics import Interval, interval_over_images


@dataclass(frozen=True)
class CalibratedJob:
    """A finished job and what became of its objects."""

    result: Result
    calibration: JobCalibration

    @cached_property
    def image_sums(self) -> np.ndarray:
        """(N, BINS, 4), the `bin_sums` of each image, ordered by the images' ids."""
        images = sorted(self.calibration.images, key=lambda image: image.id)
        return np.stack([bin_sums(image.scores, image.ious) for image in images])

    @property
    def sums(self) -> np.ndarray:
        """(BINS, 4) over all images."""
        return np.asarray(self.image_sums.sum(axis=0))

    @property
    def error(self) -> float:
        """The expected calibration error over all objects."""
        return float(expected_calibration_error(self.sums))

    @cached_property
    def ranked(self) -> tuple[float, float]:
        """AP of the objects ranked by score: at IoU > 0.5, and the mean over ten thresholds; NaN without a truth."""
        images = self.calibration.images
        scores = [score for image in images for score in image.scores]
        ious = [iou for image in images for iou in image.ious]
        truths = sum(image.truth for image in images)
        values = [ranked_average_precision(scores, ious, truths, percent) for percent in AP_THRESHOLDS_PERCENT]
        return values[0], float(np.mean(values))


@dataclass(frozen=True)
class CalibratedRow(ExaminedRow[CalibratedJob]):
    """A row of the table and those of its jobs that were looked at.

    Attributes:
        scoreless: whether its method gives no scores at all.
    """

    scoreless: bool = False

    @property
    def sums(self) -> np.ndarray:
        """(BINS, 4) over all images and seeds."""
        return np.sum([job.sums for job in self.jobs], axis=0)

    @property
    def error(self) -> Figure | None:
        """The expected calibration error over seeds."""
        return Figure.of([job.error for job in self.jobs])

    @property
    def error_interval(self) -> Interval:
        """The interval of the error, the mean over seeds, over draws of images; NaN where seeds saw other images."""
        images = {tuple(sorted(image.id for image in job.calibration.images)) for job in self.jobs}
        if len(images) != 1:
            return Interval(float("nan"), float("nan"))
        sums = [job.image_sums for job in self.jobs]

        def drawn(weights: np.ndarray) -> np.ndarray:
            of_seeds = [expected_calibration_error(np.tensordot(weights, of_seed, axes=1)) for of_seed in sums]
            return np.asarray(np.mean(of_seeds, axis=0))

        return interval_over_images(drawn, len(sums[0]))

    @property
    def ranked(self) -> tuple[Figure | None, Figure | None]:
        """AP of the ranked objects at IoU > 0.5 and over ten thresholds, over seeds."""
        first, second = zip(*(job.ranked for job in self.jobs), strict=True)
        return Figure.of(first), Figure.of(second)

    @property
    def scored_again(self) -> int:
        """Images whose scores the saved model gave afterwards."""
        return sum(job.calibration.scored_again for job in self.jobs)


class CalibratedTable(ExaminedTable[CalibratedRow]):
    """The rows of a table whose label maps were made here."""

    @property
    def scoreless(self) -> list[RowResults]:
        return [row.row for row in self.rows if row.scoreless]


def calibrate_table(
    results: TableResults,
    out: Path,
    device: str,
    progress: Callable[[str, int, int], object] = lambda label, done, images: None,
) -> CalibratedTable:
    """Look at the objects of every finished job, and keep what was found beside its result.

    Args:
        device: where saved models compute, for label maps that were stored without scores.
        progress: called with a job's label and seed, its images done and images in all.

    Raises:
        UserError: no job is finished, or none of those that are has scores.
    """
    results.refuse_unfinished(out)
    datasets = OpenDatasets()

    def looked_at(result: Result) -> CalibratedJob:
        folder, job = JobFolder.named(result.key, out), parse_job(result.job)
        what = f"{result.label or result.method}, seed {result.seed}"
        if (found := read_calibration(folder, result)) is not None:
            return CalibratedJob(result, found)  # no data are needed
        found = measure_calibration(
            job, result, datasets.of(job), folder, device, lambda done, images: progress(what, done, images)
        )
        return CalibratedJob(result, found)

    table = _table(results, looked_at)
    table.refuse_empty(out, "has scores", "no row has a method that gives scores")
    return table


def read_calibrated(results: TableResults, out: Path) -> CalibratedTable | None:
    """Read what is kept and look at nothing; None where no job was looked at."""

    def kept(result: Result) -> CalibratedJob:
        found = read_calibration(JobFolder.named(result.key, out), result)
        if found is None:
            raise UserError(f"not measured: `pctrans-bench calibration {results.spec.name} --out {out}` does")
        return CalibratedJob(result, found)

    table = _table(results, kept)
    return table if table.examined else None


def _table(results: TableResults, looked_at: Callable[[Result], CalibratedJob]) -> CalibratedTable:
    # Label maps that were made elsewhere have no scores.
    rows = (row for row in results.rows if row.method and row.method != EXTERNAL and row.results)
    return CalibratedTable(results.spec, tuple(_row(row, looked_at) for row in rows))


def _row(row: RowResults, looked_at: Callable[[Result], CalibratedJob]) -> CalibratedRow:
    if row.method and not get_method(row.method).scores_objects:
        return CalibratedRow(row, (), (), scoreless=True)
    return CalibratedRow(row, *examine(row.results, looked_at))
