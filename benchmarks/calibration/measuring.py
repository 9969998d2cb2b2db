"""Compare the objects of one finished job with the truth, score by score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.contract import Scoring, Segmenter
from benchmarks.data import Dataset, read_labels
from benchmarks.data.sample import Sample
from benchmarks.errors import UserError
from benchmarks.links import refuse_outside
from benchmarks.machine.threads import computing_with
from benchmarks.metrics import contingency_table
from benchmarks.metrics.calibration import matched_ious
from benchmarks.metrics.matching import panoptic_quality
from benchmarks.plan.job import Job
from benchmarks.run.prediction import segment_with_scores
from benchmarks.store.anatomy import ROUNDING
from benchmarks.store.calibration import (
    DECIMALS,
    ImageObjects,
    JobCalibration,
    read_calibration,
    read_scores_of,
    write_calibration,
)
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model
from benchmarks.store.result import Result

SAME = 0.9
"""The IoU above which an object that is found again is the stored one: other machines round otherwise."""


def measure_calibration(
    job: Job,
    result: Result,
    dataset: Dataset,
    folder: JobFolder,
    device: str,
    progress: Callable[[int, int], object] | None = None,
) -> JobCalibration:
    """Read what is kept of a job; else look at its label maps, and keep what was found beside the result.

    Label maps of versions that stored no scores get them from the saved model, which segments the images again.

    Args:
        dataset: what the job was tested on, unchanged.
        progress: called with images done and images in all.

    Raises:
        UnreadableError: what is kept is damaged.
        UserError: label maps or the truth are gone or changed, there are no scores and the saved model gives none, or
            another process works at the job.
    """
    if (kept := read_calibration(folder, result)) is not None:
        return kept
    refuse_outside(folder.path, folder.out)
    with folder.lock() as mine, computing_with(job.training.threads):
        if not mine:
            raise UserError(f"{folder.path} is being worked at by another command: wait for it, and measure again.")
        again = _Again(job, folder, device)
        images = []
        for done, image in enumerate(result.images, 1):
            images.append(_objects(folder, dataset.load(str(image["id"])), image.get("pq"), again))
            if progress:
                progress(done, len(result.images))
        return write_calibration(folder, result, images, again.images)


def _objects(folder: JobFolder, sample: Sample, before: object, again: _Again) -> ImageObjects:
    path = folder.prediction(sample.id)
    if sample.labels is None:
        raise UserError(f"there is no public truth for {sample.id}")
    if not path.is_file():
        raise UserError(f"{path} is not there, and its scores were not measured where it was")
    labels = read_labels(path)
    if labels.shape != sample.labels.shape:
        raise UserError(f"{path} has shape {labels.shape}, the truth {sample.labels.shape}: the data have changed")
    table = contingency_table(sample.labels, labels)
    now = panoptic_quality(table)
    if not isinstance(before, int | float) or abs(now - before) > ROUNDING:
        raise UserError(
            f"{path}: its PQ is {now:.6g}, but the result says {before}. The label map or the truth has changed since "
            "it was scored: run the job again."
        )
    scores = read_scores_of(folder.prediction_scores(sample.id), int(labels.max(initial=0)))
    if scores is None:
        scores = again.scores(path, sample, labels)
    return ImageObjects(
        id=sample.id,
        truth=table.num_truth,
        scores=scores[table.prediction_ids - 1].tolist(),
        ious=matched_ious(table).tolist(),
    )


class _Again:
    """Scores of label maps that were stored without, from the saved model.

    Attributes:
        images: how many were segmented again.
    """

    def __init__(self, job: Job, folder: JobFolder, device: str):
        self._job, self._folder, self._device = job, folder, device
        self._segmenter: Segmenter | None = None
        self.images = 0

    def scores(self, path: Path, sample: Sample, labels: np.ndarray) -> np.ndarray:
        """The scores of the objects 1..K of a label map (H, W).

        Raises:
            UserError: there is no model, it gives no scores, or it does not find these objects any more.
        """
        job, model = self._job, self._model(path)
        maps, scores = segment_with_scores(
            model, sample.image, job.tile, job.testing, self._device, job.training.precision
        )
        assert scores is not None, "the model scores"
        self.images += 1
        table = contingency_table(labels, maps)
        same = table.ious > SAME
        if (missing := int(labels.max(initial=0)) - int(same.sum())) > 0:
            raise UserError(
                f"{path} was stored without scores, and the saved model does not find {missing} of its objects again "
                f"(IoU > {SAME}) on this machine. Try where the job ran, or run it again into another folder."
            )
        found = np.zeros(table.num_truth)
        found[table.truth_index[same]] = scores[table.prediction_ids[table.prediction_index[same]] - 1]
        return np.round(found, DECIMALS)

    def _model(self, path: Path) -> Segmenter:
        if self._segmenter is None:
            if not self._folder.model.is_dir():
                raise UserError(f"{path} was stored without scores, and there is no {self._folder.model} to give them")
            segmenter = load_model(self._folder.model, self._device).segmenter
            if not isinstance(segmenter, Scoring):
                raise UserError(f"{self._job.method} gives its objects no scores")
            self._segmenter = segmenter
        return self._segmenter
