"""From a job's label maps to its errors."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from benchmarks.anatomy.grouping import Quartiles, group_counts, quartiles
from benchmarks.data import Dataset, read_labels
from benchmarks.errors import UserError
from benchmarks.metrics.anatomy import Anatomy, anatomy
from benchmarks.metrics.matching import panoptic_quality
from benchmarks.store.anatomy import ROUNDING, SCHEMA, ImageErrors, JobErrors
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.result import Result


def measure_errors(folder: JobFolder, result: Result, dataset: Dataset) -> JobErrors:
    """Dissect every image of a finished job.

    Args:
        dataset: what it was tested on.

    Raises:
        UserError: a label map or the truth is gone, damaged, or no longer what was scored.
    """
    found = [_dissect(folder, image, dataset) for image in result.images]
    bounds = quartiles(found)
    images = [_errors(str(image["id"]), one, bounds) for image, one in zip(result.images, found, strict=True)]
    return JobErrors(version=SCHEMA, key=result.key, quartiles=bounds, images=images)


def _dissect(folder: JobFolder, image: dict[str, Any], dataset: Dataset) -> Anatomy:
    id = str(image["id"])
    truth = dataset.load(id).labels
    if truth is None:
        raise UserError(f"{dataset.spec} has no public truth for {id}")
    path = folder.prediction(id)
    if not path.is_file():
        raise UserError(f"{path} is not there, and its errors were not measured where it was")
    prediction = read_labels(path)
    if prediction.shape != truth.shape:
        raise UserError(f"{path} has shape {prediction.shape}, the truth {truth.shape}: the data have changed")
    found = anatomy(truth, prediction)
    now, before = panoptic_quality(found.table), image.get("pq")
    if not isinstance(before, int | float) or abs(now - before) > ROUNDING:
        raise UserError(
            f"{path}: its PQ is {now:.6g}, but the result says {before}. The label map or the truth has changed since "
            "it was scored: run the job again."
        )
    return found


def _errors(id: str, one: Anatomy, bounds: Quartiles | None) -> ImageErrors:
    assd, hd95 = one.distances.mean(axis=0).tolist() if len(one.distances) else (None, None)
    counts = one.counts
    return ImageErrors(
        id=id,
        truths=dict(Counter(one.fates.truths.tolist())),
        predictions=dict(Counter(one.fates.predictions.tolist())),
        merging=int(np.count_nonzero(one.fates.merging)),
        fragmented=int(np.count_nonzero(one.fates.fragmented)),
        iou_sum=counts.iou_sum,
        matched_at=tuple(counts.matched_at),
        assd=assd,
        hd95=hd95,
        groups=group_counts(one, bounds),
    )
