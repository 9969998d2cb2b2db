"""Metrics that came after a job had finished, from its stored predictions: nothing is predicted again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.data import read_labels
from benchmarks.errors import UserError
from benchmarks.links import refuse_outside
from benchmarks.metrics import METRICS
from benchmarks.metrics.scoring import mean_scores, score_image
from benchmarks.plan.job import parse_job
from benchmarks.run.planned import OpenDatasets
from benchmarks.store.job_folder import JobFolder, all_job_folders
from benchmarks.store.result import AddedMetrics, Result

AGREEMENT = 1e-9
"""How far a figure that is computed again may be from the one in the result: sums may be taken in another order."""


@dataclass(frozen=True)
class Rescored:
    """What became of one job.

    Attributes:
        added: names of the metrics that its result did not have.
        problem: why it could not be scored again.
    """

    key: str
    status: Literal["added", "complete", "failed"]
    added: tuple[str, ...] = ()
    problem: str | None = None


def rescore_jobs(out: Path, progress: Callable[[Rescored], object] = lambda rescored: None) -> list[Rescored]:
    """Give every finished job in `out` the metrics that its result lacks; results themselves stay as they are."""
    datasets = OpenDatasets()
    found = []
    for folder in all_job_folders(out):
        if folder.done:
            found.append(_rescore(folder, datasets))
            progress(found[-1])
    return found


def _rescore(folder: JobFolder, datasets: OpenDatasets) -> Rescored:
    try:
        refuse_outside(folder.path, folder.out)
        result = folder.read_result()
        assert result is not None, "the job is done"
        missing = tuple(name for name in METRICS if name not in result.metrics)
        if not missing:
            return Rescored(folder.key, "complete")
        folder.write_added_metrics(_added(folder, result, missing, datasets))
    except (UserError, ValueError, OSError) as error:
        return Rescored(folder.key, "failed", problem=str(error))
    return Rescored(folder.key, "added", missing)


def _added(folder: JobFolder, result: Result, missing: tuple[str, ...], datasets: OpenDatasets) -> AddedMetrics:
    """The missing metrics of every image, after the others were found to be what they were.

    Raises:
        UserError: data or predictions are gone, or are not what was scored.
    """
    job = parse_job(result.job)
    dataset = datasets.of(job)
    images: list[dict[str, Any]] = []
    for before in result.images:
        truth = dataset.load(before["id"]).labels
        assert truth is not None, "a split that was evaluated has truth"
        scores = score_image(truth, read_labels(folder.prediction(before["id"])))
        _refuse_difference(folder, before, scores)
        images.append({"id": before["id"], **{name: scores[name] for name in missing}})
    return AddedMetrics(key=result.key, metrics=mean_scores(images), images=images)


def _refuse_difference(folder: JobFolder, before: dict[str, Any], now: dict[str, Any]) -> None:
    for name, value in before.items():
        if name in now and isinstance(value, int | float) and abs(now[name] - value) > AGREEMENT:
            raise UserError(
                f"{folder.prediction(before['id'])}: its {name} is {now[name]:.6g}, but result.json says {value:.6g}. "
                "The prediction, the data or the metric has changed since it was scored; run the job again."
            )
