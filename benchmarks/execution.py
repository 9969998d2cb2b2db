"""Running one job: train, predict, score, and last `result.json`."""

from __future__ import annotations

import fcntl
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from benchmarks.allocator import keep_freed_memory, release_freed_memory
from benchmarks.contract import Segmenter
from benchmarks.cost import count_parameters, training_flops, without_pretrained
from benchmarks.data import Dataset
from benchmarks.environment import describe_environment, peak_memory_bytes, reset_peak_memory
from benchmarks.external import read_external
from benchmarks.files import write_json
from benchmarks.jobs import EXTERNAL, Job
from benchmarks.methods import get_method
from benchmarks.prediction import Labeller, predict_split, score_split, segment_sample, validate
from benchmarks.saved_model import HARNESS_FILE, load_model, save_model
from benchmarks.scoring import mean_scores, write_scores
from benchmarks.training import TrainingReport, train
from benchmarks.training.batches import BatchSource, derived_seed

SCHEMA = 1
Status = Literal["done", "cached", "failed", "busy"]


def _nothing(*_: Any) -> None:
    pass


@dataclass(frozen=True)
class Watcher:
    """Who is told how a job is going.

    Attributes:
        training: called with iterations done, losses and learning rate.
        validation: called with the metrics of a validation.
        prediction: called with images done and images in all.
        saved: called with the job's folder whenever there is something new in it.
    """

    training: Callable[[int, dict[str, float], float], None] = field(default=_nothing)
    validation: Callable[[dict[str, float]], None] = field(default=_nothing)
    prediction: Callable[[int, int], None] = field(default=_nothing)
    saved: Callable[[Path], object] = field(default=_nothing)


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
    job: Job, dataset: Dataset, out: Path, device: str, watcher: Watcher | None = None, *, label: str | None = None
) -> Outcome:
    """Bring a job to its result, from wherever an earlier start left it.

    A failure leaves error.json and no result; an interrupt leaves the last checkpoint.

    Args:
        label: what to call the job where people browse; no part of its key. None is the method's name.
    """
    watcher = watcher or Watcher()
    keep_freed_memory()
    folder = job.folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    with _only_one_process(folder) as mine:
        if (folder / "result.json").exists():
            return Outcome("cached")
        if not mine:
            return Outcome("busy")
        try:
            _run(job, dataset, folder, device, watcher, label or job.method)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            write_json(
                folder / "error.json",
                {
                    "type": type(error).__name__,
                    "message": str(error),
                    "traceback": traceback.format_exc(),
                    "when": _now(),
                },
            )
            watcher.saved(folder)
            return Outcome("failed", message)
        watcher.saved(folder)
        return Outcome("done")


def _run(job: Job, dataset: Dataset, folder: Path, device: str, watcher: Watcher, label: str) -> None:
    started = _now()
    (folder / "error.json").unlink(missing_ok=True)
    environment = describe_environment(device)
    write_json(folder / "job.json", {"label": label, **job.resolved()})
    write_json(folder / "environment.json", environment)
    release_freed_memory()
    reset_peak_memory(device)
    maker = _external(job, dataset) if job.method == EXTERNAL else _segmenter(job, dataset, folder, device, watcher)
    seconds_per_image = predict_split(maker.label, job, dataset, folder, watcher.prediction)
    peak = peak_memory_bytes(device)
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
        "metrics": mean_scores(rows),
        "images": rows,
        "cost": {
            "parameters": maker.parameters,
            "flops_per_crop": training_flops(maker.model, job, dataset, device) if maker.model else None,
            "iterations": maker.report.iterations,
            "train_seconds": maker.report.seconds,
            "seconds_per_iteration": maker.report.seconds / maker.report.iterations if job.trained else None,
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
    """

    label: Labeller
    report: TrainingReport
    parameters: int | None
    model: Segmenter | None


def _external(job: Job, dataset: Dataset) -> _Maker:
    maps = read_external(job, dataset.ids(job.split))
    return _Maker(lambda id, _: maps[id], TrainingReport(0, 0.0), None, None)


def _segmenter(job: Job, dataset: Dataset, folder: Path, device: str, watcher: Watcher) -> _Maker:
    segmenter, report = _trained(job, dataset, folder, device, watcher)

    def label(_: str, image: np.ndarray) -> np.ndarray:
        return segment_sample(segmenter, image, job.tile, job.testing, device, job.training.precision)

    return _Maker(label, report, count_parameters(segmenter), segmenter if job.trained else None)


def _trained(
    job: Job, dataset: Dataset, folder: Path, device: str, watcher: Watcher
) -> tuple[Segmenter, TrainingReport]:
    """The job's model in evaluation mode, trained from wherever an earlier start left it."""
    method = get_method(job.method)
    torch.manual_seed(derived_seed(job.seed, "weights"))
    # A checkpoint replaces pretrained weights, which need not be at hand any more.
    resumed = (folder / "checkpoint.pt").exists()
    model = method.build(without_pretrained(job.model) if resumed else job.model)
    if not method.trained:
        save_model(model, job, folder / "model")
        return model, TrainingReport(0, 0.0)
    assert isinstance(model, torch.nn.Module), f"{job.method} is trained, so it has to be a torch module"
    model.to(device)
    batches = BatchSource.of_job(job, dataset)

    def validated(current: torch.nn.Module) -> dict[str, float]:
        metrics = validate(current, job, dataset, device)  # type: ignore[arg-type]
        watcher.validation(metrics)
        watcher.saved(folder)
        return metrics

    report = train(
        model,
        batches,
        job.training,
        seed=job.seed,
        folder=folder,
        device=torch.device(device),
        validate=validated,
        progress=watcher.training,
    )
    if not (folder / "model" / HARNESS_FILE).exists():
        save_model(model, job, folder / "model")
    # What is tested is what was saved, so that `predict` with the saved model gives the same figures.
    return load_model(folder / "model", device).segmenter, report


@contextmanager
def _only_one_process(folder: Path) -> Iterator[bool]:
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
