"""The contents of one job, into one MLflow run. Everything here may be sent twice and is kept once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarks.tracking.folder import JobFolder
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


def send_curve(client: MlflowClient, sent: Sent, folder: JobFolder, file: str) -> bool:
    """Send the file's points past the last iteration sent, and note it; False where there are none."""
    from mlflow.entities import Metric

    points = list(folder.points(file, after=sent.iterations.get(file, -1)))
    for start in range(0, len(points), METRICS_PER_REQUEST):
        chunk = points[start : start + METRICS_PER_REQUEST]
        metrics = [Metric(p.name, p.value, int((sent.started + p.seconds) * 1000), p.step) for p in chunk]
        client.log_batch(sent.run_id, metrics)
    if points:
        sent.iterations[file] = max(point.step for point in points)
    return bool(points)


def send_status(client: MlflowClient, sent: Sent, folder: JobFolder) -> None:
    """Tell that a job ended, with all that comes with its end, or that one that had failed runs again."""
    if folder.status == "RUNNING":
        client.update_run(sent.run_id, status="RUNNING")
    else:
        end = int((folder.finished or time.time()) * 1000)
        _send_final_metrics(client, sent.run_id, folder, end)
        _send_files(client, sent.run_id, folder)
        if folder.error is not None and folder.result is None:
            client.set_tag(sent.run_id, "mlflow.note.content", str(folder.error.get("message", "")))
        client.update_run(sent.run_id, name=folder.name)
        client.set_terminated(sent.run_id, folder.status, end)
    sent.status = folder.status


def send_note(client: MlflowClient, run_id: str, note: Note, *, end: bool) -> None:
    """Send what a study knows of one of its trials; `end` gives the run the note's status."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    for name, value in note.tags.items():
        client.set_tag(run_id, name, value)
    client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in note.metrics.items()])
    if end:
        client.set_terminated(run_id, note.status)


def _send_final_metrics(client: MlflowClient, run_id: str, folder: JobFolder, when: int) -> None:
    from mlflow.entities import Metric

    client.log_batch(run_id, [Metric(name, value, when, 0) for name, value in folder.final_metrics().items()])


def _send_files(client: MlflowClient, run_id: str, folder: JobFolder) -> None:
    for path in folder.documents():
        client.log_artifact(run_id, str(path))
    for path in folder.overlays():
        client.log_artifact(run_id, str(path), "overlays")
