"""Running one job: train, choose thresholds, predict, score, and last `result.json`."""

from __future__ import annotations

import fcntl
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from benchmarks.contract import Segmenter
from benchmarks.data import Dataset
from benchmarks.files import write_json
from benchmarks.machine.allocator import keep_freed_memory, release_freed_memory
from benchmarks.machine.environment import describe_environment, peak_memory_bytes, reset_peak_memory
from benchmarks.machine.threads import computing_with
from benchmarks.metrics.scoring import mean_scores
from benchmarks.plan.external import read_external
from benchmarks.plan.job import EXTERNAL, Job
from benchmarks.plan.methods import get_method
from benchmarks.run.cost import count_parameters, training_flops
from benchmarks.run.prediction import Labeller, predict_split, score_split, segment_sample
from benchmarks.run.thresholds import ThresholdChoice, settle_thresholds
from benchmarks.run.training import JobTraining, check_processes, train_job
from benchmarks.store.saved_model import load_model, save_model
from benchmarks.store.scores import write_scores
from benchmarks.training import TrainingReport
from benchmarks.training.batches import derived_seed
from benchmarks.training.watcher import Watcher

SCHEMA = 1
Status = Literal["done", "cached", "failed", "busy"]
UNTRAINED = JobTraining(TrainingReport(0, 0.0), peak_memory_bytes=0)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        status: "cached" had a result before, "busy" is being run by another process.
        error: message of a failure.
    """

    status: Status
    error: str | None = None


def run_job(
    job: Job,
    dataset: Dataset,
    out: Path,
    device: str,
    watcher: Watcher | None = None,
    *,
    label: str | None = None,
    processes: int = 1,
) -> Outcome:
    """Bring a job to its result, from wherever an earlier start left it.

    A failure leaves error.json and no result; an interrupt leaves the last checkpoint.

    Args:
        label: what to call the job where people browse; no part of its key. None is the method's name.
        processes: that train together, on one accelerator each; no part of its key either. Testing needs one.

    Raises:
        UserError: the job has no result, and so many processes cannot train it on this device.
    """
    watcher = watcher or Watcher()
    keep_freed_memory()
    folder = job.folder(out)
    if not (folder / "result.json").exists():
        check_processes(job, device, processes)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one_process(folder) as mine, computing_with(job.training.threads):
        if (folder / "result.json").exists():
            return Outcome("cached")
        if not mine:
            return Outcome("busy")
        try:
            _run(job, dataset, folder, device, watcher, label or job.method, processes if job.trained else 1)
        except Exception as error:
            outcome = record_failure(folder, type(error).__name__, str(error), traceback.format_exc())
            watcher.saved(folder)
            return outcome
        watcher.saved(folder)
        return Outcome("done")


def describe_job(job: Job, label: str, folder: Path) -> None:
    """Leave job.json, which says what a job is, in its folder."""
    write_json(folder / "job.json", {"label": label, **job.resolved()})


def record_failure(folder: Path, kind: str, message: str, details: str) -> Outcome:
    """Leave error.json in a job's folder; only for a process that has it to itself.

    Args:
        kind: type of the error.
        details: traceback, or the end of the output of a process that had no time for one.
    """
    write_json(folder / "error.json", {"type": kind, "message": message, "traceback": details, "when": _now()})
    return Outcome("failed", f"{kind}: {message}")


def _run(job: Job, dataset: Dataset, folder: Path, device: str, watcher: Watcher, label: str, processes: int) -> None:
    started = _now()
    (folder / "error.json").unlink(missing_ok=True)
    environment = {**describe_environment(device), "processes": processes}
    describe_job(job, label, folder)
    write_json(folder / "environment.json", environment)
    release_freed_memory()
    reset_peak_memory(device)
    maker = (
        _external(job, dataset)
        if job.method == EXTERNAL
        else _segmenter(job, dataset, folder, device, watcher, processes)
    )
    seconds_per_image = predict_split(maker.label, job, dataset, folder, watcher.prediction)
    peak = max(peak_memory_bytes(device), maker.training.peak_memory_bytes)
    report = maker.training.report
    rows = score_split(job, dataset, folder)
    write_scores(rows, folder / "metrics.csv")
    result = {
        "schema": SCHEMA,
        "key": job.key,
        "label": label,
        "job": job.resolved(),
        "dataset": {
            **job.data.model_dump(mode="json"),
            "split": job.split,
            "images": len(rows),
            "instances": sum(row["truth"] for row in rows),
            "normalisation": dataset.normalisation,
        },
        "thresholds": maker.thresholds.described() if maker.thresholds else None,
        "metrics": mean_scores(rows),
        "images": rows,
        "cost": {
            "parameters": maker.parameters,
            "flops_per_crop": training_flops(maker.model, job, dataset, device) if maker.model else None,
            "iterations": report.iterations,
            "train_seconds": report.seconds,
            "seconds_per_iteration": report.seconds / report.iterations if job.trained else None,
            "seconds_per_image": None if job.method == EXTERNAL else seconds_per_image,
            "peak_memory_bytes": None if job.method == EXTERNAL else peak,
        },
        "environment": environment,
        "started": started,
        "finished": _now(),
    }
    write_json(folder / "result.json", result)


@dataclass(frozen=True)
class _Maker:
    """Where a job's label maps come from.

    Attributes:
        label: from an image to its label map.
        parameters: of the whole model; None where it was made elsewhere.
        model: that was trained; None where nothing was.
        thresholds: how the model's were chosen; None where they are as configured.
    """

    label: Labeller
    training: JobTraining
    parameters: int | None
    model: Segmenter | None
    thresholds: ThresholdChoice | None = None


def _external(job: Job, dataset: Dataset) -> _Maker:
    maps = read_external(job, dataset.ids(job.split))
    return _Maker(lambda id, _: maps[id], UNTRAINED, None, None)


def _segmenter(job: Job, dataset: Dataset, folder: Path, device: str, watcher: Watcher, processes: int) -> _Maker:
    method, thresholds = get_method(job.method), None
    if method.trained:
        training = train_job(job, dataset, folder, device, watcher, processes)
        thresholds = settle_thresholds(job, dataset, folder, device, watcher.choosing)
        # What is tested is what was saved, so that `predict` with the saved model gives the same figures.
        segmenter = load_model(folder / "model", device).segmenter
    else:
        torch.manual_seed(derived_seed(job.seed, "weights"))
        training, segmenter = UNTRAINED, method.build(job.model)
        save_model(segmenter, job, folder / "model")

    def label(_: str, image: np.ndarray) -> np.ndarray:
        return segment_sample(segmenter, image, job.tile, job.testing, device, job.training.precision)

    return _Maker(label, training, count_parameters(segmenter), segmenter if job.trained else None, thresholds)


@contextmanager
def only_one_process(folder: Path) -> Iterator[bool]:
    """Whether this process has the folder to itself; the lock goes with the process, however it ends."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
