"""The contents of one job go into one MLflow run. Everything here may be sent twice and is kept once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from benchmarks.tracking.job import CURVES, Point, TrackedJob, metric_name
from benchmarks.tracking.runs import COMPARED, STATUS, KnownRun, Runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARAMETERS_PER_REQUEST = 100
METRICS_PER_REQUEST = 1000
DIGEST = 36
"""MLflow keeps so many characters of a data set's digest."""


@dataclass(frozen=True)
class Note:
    """What is told of a run beside what its job's folder holds.

    Attributes:
        status: MLflow's name of how it ended.
    """

    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    status: Literal["FINISHED", "FAILED", "KILLED"]


def send_job(runs: Runs, run: KnownRun, job: TrackedJob) -> bool:
    """Send what MLflow does not have of a job; return False where it has all."""
    client = runs.client
    if run.status == "FINISHED":
        return False
    describe(client, run, job.parameters())
    if not run.has_dataset:
        _send_dataset(client, run, job)
    grown = [_send_curve(client, run, job, curve) for curve in CURVES]
    changed = run.status != job.status
    if changed:
        _send_status(runs, run, job)
    new, run.new = run.new, False
    return new or changed or any(grown)


def describe(client: MlflowClient, run: KnownRun, parameters: dict[str, str]) -> None:
    """Send the parameters that MLflow lacks: all of a new run, or those that an earlier process was too late for.

    MLflow keeps the first value of a parameter. Where a job goes on elsewhere, with another commit or processor,
    the new one is a tag.
    """
    if run.described == parameters:
        return
    lacking = {name: value for name, value in parameters.items() if name not in run.parameters}
    _send_parameters(client, run.run_id, lacking)
    run.parameters |= lacking
    for name, value in parameters.items():
        if run.parameters[name][:COMPARED] != value[:COMPARED]:
            client.set_tag(run.run_id, f"continued.{name}", value)
    run.described = parameters


def send_note(client: MlflowClient, run_id: str, note: Note, *, when: int, end: bool) -> None:
    """Send what a study knows of one of its trials.

    Args:
        client: talks to the store.
        run_id: MLflow's name of the run.
        note: the tags, metrics and status to send.
        when: milliseconds since 1970, the time of the metrics.
        end: whether the run gets the note's status.
    """
    from mlflow.entities import Metric, RunTag

    metrics = [Metric(name, value, when, 0) for name, value in note.metrics.items()]
    client.log_batch(run_id, metrics, tags=[RunTag(name, value) for name, value in note.tags.items()])
    if end:
        client.set_terminated(run_id, note.status)


def now() -> int:
    """Return the time as MLflow takes it, in milliseconds since 1970."""
    return int(time.time() * 1000)


def _send_dataset(client: MlflowClient, run: KnownRun, job: TrackedJob) -> None:
    """Say what data the job is of, as MLflow shows it in a column and finds runs by."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    if data := job.data:
        dataset = Dataset(data.name, data.fingerprint[:DIGEST], "code", json.dumps({"tags": data.source}))
        context = "training" if data.trains else "testing"
        client.log_inputs(run.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])
    run.has_dataset = True


def _send_parameters(client: MlflowClient, run_id: str, parameters: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    entries = [Param(name, value) for name, value in parameters.items()]
    for start in range(0, len(entries), PARAMETERS_PER_REQUEST):
        client.log_batch(run_id, params=entries[start : start + PARAMETERS_PER_REQUEST])


def _send_curve(client: MlflowClient, run: KnownRun, job: TrackedJob, curve: str) -> bool:
    """Send the curve's points past the last iteration that MLflow has; return False where there are none."""
    from mlflow.entities import Metric

    before = run.iterations[curve] = _last_iteration(client, run, curve)
    for batch in _batches(job.points(curve, after=before)):
        metrics = [Metric(p.name, p.value, run.started + int(p.seconds * 1000), p.step) for p in batch]
        client.log_batch(run.run_id, metrics)
        run.iterations[curve] = batch[-1].step
    return run.iterations[curve] > before


def _last_iteration(client: MlflowClient, run: KnownRun, curve: str) -> int:
    """Return the last iteration that MLflow has of a curve, -1 where it has none. It is asked once for each run."""
    if curve in run.iterations:
        return run.iterations[curve]
    # This is the one column that has a number in each line.
    history = client.get_metric_history(run.run_id, metric_name(curve, "seconds"))
    return max((point.step for point in history), default=-1)


def _batches(points: Iterable[Point]) -> Iterator[list[Point]]:
    """Divide points into requests, and no iteration between two: one of which MLflow has a point is there whole."""
    batch: list[Point] = []
    for _, points_of_step in groupby(points, key=lambda point: point.step):
        together = list(points_of_step)
        if batch and len(batch) + len(together) > METRICS_PER_REQUEST:
            yield batch
            batch = []
        batch += together
    if batch:
        yield batch


def _send_status(runs: Runs, run: KnownRun, job: TrackedJob) -> None:
    """Tell that a job ended, with all that comes with its end, or that one that had failed runs again."""
    client = runs.client
    if job.status == "RUNNING":
        client.update_run(run.run_id, status="RUNNING")
    else:
        _send_end(runs, run.run_id, job)
    # Last of all: without it everything is sent again.
    client.set_tag(run.run_id, STATUS, job.status)
    run.status = job.status


def _send_end(runs: Runs, run_id: str, job: TrackedJob) -> None:
    from mlflow.entities import Metric

    client = runs.client
    end = now() if job.finished is None else int(job.finished * 1000)
    client.log_batch(run_id, [Metric(name, value, end, 0) for name, value in job.final_metrics().items()])
    for path in job.documents():
        runs.artifacts.keep(run_id, path)
    for path in job.overlays():
        runs.artifacts.keep(run_id, path, "overlays")
    if job.failure is not None and job.result is None:
        client.set_tag(run_id, "mlflow.note.content", job.failure.message)
    client.update_run(run_id, name=job.name)
    client.set_terminated(run_id, job.status, end)
