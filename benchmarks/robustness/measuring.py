"""Score one finished job's model under every corruption; nothing is trained, and no threshold is chosen again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.links import refuse_outside
from benchmarks.machine.threads import computing_with
from benchmarks.metrics.scoring import mean_scores, score_image
from benchmarks.plan.job import Job
from benchmarks.robustness.corruptions import KINDS, STRENGTHS, corrupt, restore
from benchmarks.run.prediction import segment_sample
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import SavedModel, load_model
from benchmarks.store.result import Result
from benchmarks.store.robustness import Condition, JobRobustness, read_robustness, write_robustness

CONDITIONS = tuple((kind, strength) for kind in KINDS for strength in STRENGTHS)


def measure_robustness(
    job: Job,
    result: Result,
    dataset: Dataset,
    folder: JobFolder,
    device: str,
    progress: Callable[[int, int], object] | None = None,
) -> JobRobustness:
    """Read the scores of a job under every condition; those that are missing are measured, and kept as they come.

    Args:
        result: the job's, for the images that were tested.
        dataset: what it was tested on, unchanged.
        progress: called with conditions done and conditions in all.

    Raises:
        UnreadableError: what is kept is damaged.
        UserError: the job has no model, it is damaged, or another process works at the job.
    """
    kept = read_robustness(folder, result)
    if kept is not None and all(kept.find(*place) for place in CONDITIONS):
        return kept
    refuse_outside(folder.path, folder.out)
    with folder.lock() as mine, computing_with(job.training.threads):
        if not mine:
            raise UserError(f"{folder.path} is being worked at by another command: wait for it, and measure again.")
        kept = read_robustness(folder, result)
        model = load_model(folder.model, device)
        known = {one.place: one for one in kept.conditions} if kept else {}
        for done, place in enumerate(CONDITIONS, 1):
            if place not in known:
                known[place] = _condition(place, model, job, result, dataset, device)
                kept = write_robustness(folder, result, [known[one] for one in CONDITIONS if one in known])
            if progress:
                progress(done, len(CONDITIONS))
    assert kept is not None, "there are conditions"
    return kept


def _condition(
    place: tuple[str, int], model: SavedModel, job: Job, result: Result, dataset: Dataset, device: str
) -> Condition:
    rows: list[dict[str, Any]] = []
    for image in result.images:
        sample = dataset.load(str(image["id"]))
        assert sample.labels is not None, "a split that was tested has truth"
        worse = corrupt(sample.image, *place, sample.id)
        labels = segment_sample(model.segmenter, worse, job.tile, job.testing, device, job.training.precision)
        rows.append({"id": sample.id, **score_image(sample.labels, restore(labels, sample.labels.shape))})
    return Condition(kind=place[0], strength=place[1], metrics=mean_scores(rows), images=rows)
