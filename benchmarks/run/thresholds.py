"""The thresholds that a trained model is tested with, chosen on validation images by one rule for every method."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from scipy.stats import qmc

from benchmarks.contract import Tunable
from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.files import write_json
from benchmarks.metrics import METRICS, contingency_table
from benchmarks.plan.job import Job
from benchmarks.run.evidence import on_host, record_evidence, segment_evidence
from benchmarks.store.documents import UnreadableError, read_document, write_document
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.models.saved_model import load_model
from benchmarks.store.result import ThresholdChoice, ThresholdTrial
from benchmarks.training.watcher import ImageProgress

SEED = 0
"""The seed of the sample of settings. All jobs share it, so that rows with the same thresholds try the same values."""
DECIMALS = 4

Values = dict[str, float | None]
"""Fields of a method's inference; None stands for what the method then takes."""


def settle_thresholds(
    job: Job, dataset: Dataset, folder: JobFolder, device: str, progress: ImageProgress | None = None
) -> ThresholdChoice | None:
    """Choose the thresholds of the job's model and write them into it, unless thresholds.json has them.

    Returns:
        None for a job that searches none.

    Raises:
        UserError: the method names thresholds but cannot decide apart from its network.
    """
    if not job.searched:
        return None
    choice = read_choice(folder)
    if choice is None:
        choice = _choose(job, dataset, folder, device, progress)
        write_document(folder.thresholds, choice)
    # Only now, and again by whoever goes on after a kill: before, the model has the configured thresholds.
    set_thresholds(folder.model, choice.chosen.values)
    return choice


def read_choice(folder: JobFolder) -> ThresholdChoice | None:
    """What thresholds.json holds; None where there is none, or none that can be read: choosing again gives the same."""
    try:
        return read_document(folder.thresholds, ThresholdChoice)
    except (FileNotFoundError, UnreadableError):
        return None


def set_thresholds(model: Path, values: Mapping[str, float | None]) -> None:
    """Change fields of `inference` in the configuration of a saved model."""
    path = model / "config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["inference"] |= values
    write_json(path, content)


def _choose(
    job: Job, dataset: Dataset, folder: JobFolder, device: str, progress: ImageProgress | None
) -> ThresholdChoice:
    segmenter = load_model(folder.model, device).segmenter
    if not isinstance(segmenter, Tunable):
        raise UserError(
            f"{job.method} names thresholds to choose ({', '.join(job.searched or ())}), but its model has no "
            "`evidence` and `decide` to choose them by: add both, or --set testing.threshold_trials=0."
        )
    begun = time.perf_counter()
    ids = dataset.ids(job.choosing_split)[: job.testing.threshold_images]
    trials = try_thresholds(segmenter, job, dataset, ids, device, progress)
    seconds = round(time.perf_counter() - begun, 3)
    return ThresholdChoice.among(
        trials, split=job.choosing_split, images=len(ids), searched=job.searched or {}, seconds=seconds
    )


def try_thresholds(
    segmenter: Tunable,
    job: Job,
    dataset: Dataset,
    ids: Sequence[str],
    device: str,
    progress: ImageProgress | None = None,
) -> tuple[ThresholdTrial, ...]:
    """Score every setting on some images, tiled as the job tests; the network, on `device`, sees each image once."""
    tried = trial_values(job.model["inference"], job.searched or {}, job.testing.threshold_trials)
    parse = type(segmenter.config.inference).model_validate
    settings = [parse(job.model["inference"] | values) for values in tried]
    scores: list[list[float]] = [[] for _ in tried]
    deciding = on_host(segmenter)
    for done, id in enumerate(ids, 1):
        sample = dataset.load(id)
        assert sample.labels is not None, "images that choose have truth: the dataset was checked before"
        evidence = record_evidence(segmenter, sample.image, job.tile, job.testing, device, job.training.precision)
        for inference, of_setting in zip(settings, scores, strict=True):
            labels = segment_evidence(deciding, evidence, inference, job.tile, job.testing)
            of_setting.append(METRICS["pq"].compute(contingency_table(sample.labels, labels)))
        if progress:
            progress(done, len(ids))
    return tuple(
        ThresholdTrial(values=values, pq=fmean(of_setting)) for values, of_setting in zip(tried, scores, strict=True)
    )


def trial_values(
    configured: Mapping[str, Any], searched: Mapping[str, tuple[float, float]], trials: int
) -> list[Values]:
    """The settings to try: the configured one, then a scrambled Sobol sample of the ranges (Owen 1998)."""
    first: Values = {field: configured[field] for field in searched}
    if trials < 2:
        return [first]
    # A Sobol sequence is balanced over its first 2^m points, so as many are drawn and the first of them are used.
    points = qmc.Sobol(len(searched), rng=SEED).random_base2((trials - 2).bit_length())[: trials - 1]
    low, high = np.array(list(searched.values())).T
    scaled = (low + points * (high - low)).round(DECIMALS)
    return [first, *(dict(zip(searched, point, strict=True)) for point in scaled.tolist())]
