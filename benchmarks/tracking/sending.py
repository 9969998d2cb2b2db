"""The contents of one job, into one MLflow run. Everything here may be sent twice and is kept once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarks.tracking.job import TrackedJob
from benchmarks.tracking.ledger import Sent

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Note:
    """What is told of a run beside what its job's folder holds.

    Attributes:
        status: MLflow's name of how it ended.
    """

    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    status: Literal["FINISHED", "FAILED", "KILLED"]


PARAMETERS_PER_REQUEST = 100
METRICS_PER_REQUEST = 1000


def send_parameters(client: MlflowClient, run_id: str, parameters: dict[str, str]) -> None:
    """Send what a run was started with, in as many requests as MLflow's limit asks for."""
    from mlflow.entities import Param

    entries = [Param(name, value) for name, value in parameters.items()]
    for start in range(0, len(entries), PARAMETERS_PER_REQUEST):
        client.log_batch(run_id, params=entries[start : start + PARAMETERS_PER_REQUEST])


def send_curve(client: MlflowClient, sent: Sent, job: TrackedJob, curve: str) -> bool:
    """Send the curve's points past the last iteration sent, and note it; False where there are none."""
    from mlflow.entities import Metric

    points = list(job.points(curve, after=sent.iterations.get(curve, -1)))
    for start in range(0, len(points), METRICS_PER_REQUEST):
        chunk = points[start : start + METRICS_PER_REQUEST]
        metrics = [Metric(p.name, p.value, int((sent.started + p.seconds) * 1000), p.step) for p in chunk]
        client.log_batch(sent.run_id, metrics)
    if points:
        sent.iterations[curve] = max(point.step for point in points)
    return bool(points)


def send_status(client: MlflowClient, sent: Sent, job: TrackedJob) -> None:
    """Tell that a job ended, with all that comes with its end, or that one that had failed runs again."""
    if job.status == "RUNNING":
        client.update_run(sent.run_id, status="RUNNING")
    else:
        end = int((job.finished or time.time()) * 1000)
        _send_final_metrics(client, sent.run_id, job, end)
        _send_files(client, sent.run_id, job)
        if job.failure is not None and job.result is None:
            client.set_tag(sent.run_id, "mlflow.note.content", job.failure.message)
        client.update_run(sent.run_id, name=job.name)
        client.set_terminated(sent.run_id, job.status, end)
    sent.status = job.status


def send_note(client: MlflowClient, run_id: str, note: Note, *, end: bool) -> None:
    """Send what a study knows of one of its trials; `end` gives the run the note's status."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    for name, value in note.tags.items():
        client.set_tag(run_id, name, value)
    client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in note.metrics.items()])
    if end:
        client.set_terminated(run_id, note.status)


def _send_final_metrics(client: MlflowClient, run_id: str, job: TrackedJob, when: int) -> None:
    from mlflow.entities import Metric

    client.log_batch(run_id, [Metric(name, value, when, 0) for name, value in job.final_metrics().items()])


def _send_files(client: MlflowClient, run_id: str, job: TrackedJob) -> None:
    for path in job.documents():
        client.log_artifact(run_id, str(path))
    for path in job.overlays():
        client.log_artifact(run_id, str(path), "overlays")
