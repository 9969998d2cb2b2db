"""What a trial is judged by: its model on the whole validation split, and what it cost. Never the test split."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.files import write_json
from benchmarks.jobs import Job
from benchmarks.prediction import segment_sample
from benchmarks.saved_model import load_model
from benchmarks.scoring import mean_scores, score_image
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
    path = job.folder(out) / "validation_scores.json"
    if path.exists():
        return _read(path)["metrics"]
    model = load_model(job.folder(out) / "model", device)
    ids = dataset.ids(SPLIT)
    rows = []
    for done, id in enumerate(ids, 1):
        sample = dataset.load(id)
        assert sample.labels is not None, "a validation split has truth: the dataset was checked before"
        labels = segment_sample(model.segmenter, sample.image, job.tile, job.testing, device, job.training.precision)
        rows.append({"id": id, **score_image(sample.labels, labels)})
        if progress:
            progress(done, len(ids))
    scores = {"schema": SCHEMA, "key": job.key, "split": SPLIT, "metrics": mean_scores(rows), "images": rows}
    write_json(path, scores)
    return mean_scores(rows)


def job_cost(job: Job, out: Path) -> dict[str, float | None]:
    """What a finished job cost, and nothing else of its result."""
    cost = json.loads((job.folder(out) / "result.json").read_text())["cost"]
    return {name: cost.get(name) for name in COSTS}


def _read(path: Path) -> dict[str, Any]:
    try:
        scores = json.loads(path.read_text())
        if scores["schema"] != SCHEMA or scores["split"] != SPLIT or not isinstance(scores["metrics"], dict):
            raise ValueError(f"expected schema {SCHEMA} of the split {SPLIT}")
        return scores
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}). Delete it: it is made again in seconds.") from error
