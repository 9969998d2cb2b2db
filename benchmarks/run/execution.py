"""Running one job: train, choose thresholds, predict, score, and last `result.json`."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from benchmarks.contract import Segmenter
from benchmarks.data import Dataset
from benchmarks.files import write_atomic
from benchmarks.machine.allocator import keep_freed_memory, release_freed_memory
from benchmarks.machine.environment import describe_environment, peak_memory_bytes, reset_peak_memory
from benchmarks.machine.threads import computing_with
from benchmarks.metrics.scoring import mean_scores
from benchmarks.plan.external import read_external
from benchmarks.plan.job import EXTERNAL, Job
from benchmarks.plan.methods import get_method
from benchmarks.run.cost import count_parameters, training_flops
from benchmarks.run.prediction import Labelled, Labeller, predict_split, score_split, segment_with_scores
from benchmarks.run.thresholds import settle_thresholds
from benchmarks.run.training import JobTraining, check_processes, train_job
from benchmarks.store.job_folder import JobFolder, now
from benchmarks.store.models.model_card import model_card
from benchmarks.store.models.saved_model import TrainingData, load_model, save_model
from benchmarks.store.result import SCHEMA, Cost, DatasetFacts, Result, ThresholdChoice
from benchmarks.store.scores import write_scores
from benchmarks.training import TrainingReport
from benchmarks.training.batches import derived_seed
from benchmarks.training.watcher import Watcher

Status = Literal["done", "cached", "failed", "busy", "stopped"]
UNTRAINED = JobTraining(TrainingReport(0, 0.0), peak_memory_bytes=0)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        status: "cached" had a result before, "busy" is being run by another process, "stopped" was asked to end and
            can go on.
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
    folder = JobFolder.of(job, out)
    if not folder.done:
        check_processes(job, device, processes)
    with folder.lock() as mine, computing_with(job.training.threads):
        if folder.done:
            return Outcome("cached")
        if not mine:
            return Outcome("busy")
        try:
            _run(job, dataset, folder, device, watcher, label or job.method, processes if job.trained else 1)
        except Exception as error:
            failure = folder.write_failure(type(error).__name__, str(error), traceback.format_exc())
            watcher.saved(folder.path)
            return Outcome("failed", failure.summary)
        watcher.saved(folder.path)
        return Outcome("done")


def _run(
    job: Job, dataset: Dataset, folder: JobFolder, device: str, watcher: Watcher, label: str, processes: int
) -> None:
    started = now()
    folder.failure.unlink(missing_ok=True)
    folder.set_damaged_result_aside()
    folder.remove_leftovers()
    environment = {**describe_environment(device), "processes": processes}
    folder.describe(job, label)
    folder.write_environment(environment)
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
    write_scores(rows, folder.scores)
    result = Result(
        version=SCHEMA,
        key=job.key,
        label=label,
        job=job.resolved(),
        dataset=DatasetFacts(
            **job.data.model_dump(),
            split=job.split,
            images=len(rows),
            instances=sum(row["truth"] for row in rows),
            normalisation=dataset.normalisation,
        ),
        thresholds=maker.thresholds,
        metrics=mean_scores(rows),
        images=rows,
        cost=Cost(
            parameters=maker.parameters,
            flops_per_crop=training_flops(maker.model, job, dataset, device) if maker.model else None,
            iterations=report.iterations,
            train_seconds=report.seconds,
            seconds_per_iteration=report.seconds / report.iterations if job.trained else None,
            seconds_per_image=None if job.method == EXTERNAL else seconds_per_image,
            peak_memory_bytes=None if job.method == EXTERNAL else peak,
        ),
        environment=environment,
        started=started,
        finished=now(),
    )
    if folder.model.is_dir():
        write_atomic(folder.model_card, model_card(result.job, result))
    folder.write_result(result)


@dataclass(frozen=True)
class _Maker:
    """Where a job's label maps come from.

    Attributes:
        label: from an image to its label map and scores.
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
    maps = read_external(job, dataset)
    return _Maker(lambda id, _: (maps[id], None), UNTRAINED, None, None)


def _segmenter(job: Job, dataset: Dataset, folder: JobFolder, device: str, watcher: Watcher, processes: int) -> _Maker:
    method, thresholds = get_method(job.method), None
    if method.trained:
        training = train_job(job, dataset, folder, device, watcher, processes)
        thresholds = settle_thresholds(job, dataset, folder, device, watcher.choosing)
        # What is tested is what was saved, so that `predict` with the saved model gives the same figures.
        segmenter = load_model(folder.model, device).segmenter
    else:
        torch.manual_seed(derived_seed(job.seed, "weights"))
        training, segmenter = UNTRAINED, method.build(job.model)
        save_model(segmenter, job, folder.model, data=TrainingData.of(dataset))

    def label(_: str, image: np.ndarray) -> Labelled:
        return segment_with_scores(segmenter, image, job.tile, job.testing, device, job.training.precision)

    return _Maker(label, training, count_parameters(segmenter), segmenter if job.trained else None, thresholds)
