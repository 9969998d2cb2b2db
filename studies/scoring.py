"""What a trial is judged by: its model on the whole validation split, and what it cost. Never the test split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.data import Dataset
from benchmarks.machine.threads import computing_with
from benchmarks.metrics.scoring import mean_scores, score_image
from benchmarks.plan.job import Job
from benchmarks.run.prediction import segment_sample
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.saved_model import load_model
from studies.documents import read_document, write_document
from studies.specs import COSTS

SCHEMA = 1
SPLIT = "val"
Progress = Callable[[int, int], None]
"""Called with images done and images in all."""


def validation_scores(
    job: Job, dataset: Dataset, out: Path, device: str, progress: Progress | None = None
) -> dict[str, float]:
    """Mean metrics of a finished job's model over the validation split, each image tested as the job tests.

    They are kept in JOB/validation_scores.json, beside the job's result and not in it: the same job is a row of a
    table, whether or not a study looked at it.

    Raises:
        UserError: the file is damaged, or the job has no model.
    """
    path = JobFolder.of(job, out).validation_scores
    if found := read_document(path, SCHEMA, _parse, "Delete it: it is made again in seconds."):
        return found
    with computing_with(job.training.threads):
        rows = _scores(job, dataset, out, device, progress)
    means = mean_scores(rows)
    write_document(path, SCHEMA, {"key": job.key, "split": SPLIT, "metrics": means, "images": rows})
    return means


def _scores(job: Job, dataset: Dataset, out: Path, device: str, progress: Progress | None) -> list[dict[str, Any]]:
    """A row for each image of the validation split: id, counts and metrics."""
    model = load_model(JobFolder.of(job, out).model, device)
    ids = dataset.ids(SPLIT)
    rows = []
    for done, id in enumerate(ids, 1):
        sample = dataset.load(id)
        assert sample.labels is not None, "a validation split has truth: the dataset was checked before"
        labels = segment_sample(model.segmenter, sample.image, job.tile, job.testing, device, job.training.precision)
        rows.append({"id": id, **score_image(sample.labels, labels)})
        if progress:
            progress(done, len(ids))
    return rows


def has_test_split(dataset: Dataset) -> bool:
    """Whether a model can be tested on images that had no part in choosing it."""
    return dataset.evaluation_split != SPLIT


def job_cost(job: Job, out: Path) -> dict[str, float | None]:
    """What a finished job cost, and nothing else of its result."""
    result = JobFolder.of(job, out).read_result()
    assert result is not None, "the job is finished"
    return {name: getattr(result.cost, name) for name in COSTS}


def _parse(content: dict[str, Any]) -> dict[str, float]:
    if content["split"] != SPLIT:
        raise ValueError(f"scores of the split {content['split']}, expected {SPLIT}")
    return dict(content["metrics"])
