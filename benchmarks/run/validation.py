"""A finished job's model on the whole validation split, which is what a study judges it by. Never the test split."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.machine.threads import computing_with
from benchmarks.metrics.scoring import mean_scores, score_image
from benchmarks.plan.job import Job
from benchmarks.run.prediction import segment_sample
from benchmarks.store.documents import SealedDocument, UnreadableError, read_if_there, write_sealed
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model
from benchmarks.store.result import check_means
from benchmarks.training.watcher import ImageProgress

_REMEDY = "Delete it: it is made again in seconds."


class ValidationScores(SealedDocument):
    """What validation_scores.json holds, beside the job's result and not in it: the same job is a row of a table."""

    version: Literal[1] = Field(1, alias="schema")
    key: str
    split: Literal["val"] = "val"
    metrics: dict[str, float]
    images: list[dict[str, Any]]


def validation_scores(
    job: Job, dataset: Dataset, folder: JobFolder, device: str, progress: ImageProgress | None = None
) -> dict[str, float]:
    """Mean metrics of a finished job's model over the validation split, each image tested as the job tests.

    They are kept in the job's folder.

    Raises:
        UserError: what is kept is damaged, or the job has no model.
    """
    if found := read_validation_scores(folder):
        return found
    with computing_with(job.training.threads):
        rows = _scores(job, dataset, folder, device, progress)
    scores = ValidationScores(key=job.key, metrics=mean_scores(rows), images=rows)
    write_sealed(folder.validation_scores, scores)
    return scores.metrics


def read_validation_scores(folder: JobFolder) -> dict[str, float] | None:
    """What is kept; None where nothing is.

    Raises:
        UserError: it is damaged.
    """
    found = read_if_there(folder.validation_scores, ValidationScores, _REMEDY)
    if found is None:
        return None
    try:
        check_means(found.metrics, found.images)
    except UnreadableError as error:
        raise UserError(f"{folder.validation_scores} is damaged ({error}). {_REMEDY}") from error
    return found.metrics


def _scores(
    job: Job, dataset: Dataset, folder: JobFolder, device: str, progress: ImageProgress | None
) -> list[dict[str, Any]]:
    """A row for each image of the validation split: id, counts and metrics."""
    model = load_model(folder.model, device)
    ids = dataset.ids("val")
    rows = []
    for done, id in enumerate(ids, 1):
        sample = dataset.load(id)
        assert sample.labels is not None, "a validation split has truth: the dataset was checked before"
        labels = segment_sample(model.segmenter, sample.image, job.tile, job.testing, device, job.training.precision)
        rows.append({"id": id, **score_image(sample.labels, labels)})
        if progress:
            progress(done, len(ids))
    return rows
