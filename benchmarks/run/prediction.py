"""Predicting a split: label maps are stored before anything is scored."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.contract import Scoring, Segmenter
from benchmarks.data import Dataset, read_labels
from benchmarks.data.label_files import write_labels
from benchmarks.errors import UserError
from benchmarks.files import atomic_path
from benchmarks.machine.precision import computing_in
from benchmarks.metrics.scoring import mean_scores, score_image
from benchmarks.plan.job import Job
from benchmarks.plan.settings import TestingSettings
from benchmarks.store.calibration import write_scores_of
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.overlays import overlay
from benchmarks.tiling import segment_image, segment_image_with_scores
from benchmarks.training.curves import Curve, read_curve
from benchmarks.training.watcher import ImageProgress

OVERLAYS = 3
Labelled = tuple[np.ndarray, np.ndarray | None]
"""A label map (H, W) and the scores (K,) in [0, 1] of its objects; None where the method has none."""
Labeller = Callable[[str, np.ndarray], Labelled]
"""From an image's id and its pixels (3, H, W) to its label map and scores."""


def segment_sample(
    segmenter: Segmenter,
    image: np.ndarray,
    tile: int,
    testing: TestingSettings,
    device: str,
    precision: str,
    *,
    chains: bool = False,
) -> np.ndarray:
    """Segment one image (3, H, W) as a job tests, but for `chains`; (H, W) int32. See `segment_image`."""
    with computing_in(precision, device):
        return segment_image(
            segmenter.segment,
            image,
            tile=tile,
            overlap=testing.overlap,
            batch_size=testing.batch_size,
            flips=testing.flips,
            chains=chains,
            device=device,
        )


def segment_with_scores(
    segmenter: Segmenter,
    image: np.ndarray,
    tile: int,
    testing: TestingSettings,
    device: str,
    precision: str,
    *,
    chains: bool = False,
) -> Labelled:
    """The label map of `segment_sample`, and the scores of its objects. See `segment_image_with_scores`."""
    if not isinstance(segmenter, Scoring):
        return segment_sample(segmenter, image, tile, testing, device, precision, chains=chains), None
    with computing_in(precision, device):
        return segment_image_with_scores(
            segmenter.segment_with_confidence,
            image,
            tile=tile,
            overlap=testing.overlap,
            batch_size=testing.batch_size,
            flips=testing.flips,
            chains=chains,
            device=device,
        )


def predict_split(
    label: Labeller, job: Job, dataset: Dataset, folder: JobFolder, progress: ImageProgress | None = None
) -> float | None:
    """Store label map and scores of every image of the job's split that has no whole map yet, and some overlays.

    Returns:
        Seconds an image, on average over all starts; None where the split was predicted already and the
        times are lost.
    """
    ids = dataset.ids(job.split)
    times = Curve(folder.prediction_times, resumed_at=len(ids))
    for index, id in enumerate(ids):
        path = folder.prediction(id)
        if not _is_whole(path):
            image = dataset.load(id).image
            begun = time.perf_counter()
            labels, scores = label(id, image)
            times.append({"iteration": index, "seconds": time.perf_counter() - begun})
            # First, as a whole label map is not made again.
            write_scores_of(folder.prediction_scores(id), scores)
            write_labels(path, labels)
        picture = folder.overlays / f"{id}.png"
        if index < OVERLAYS and not picture.exists():
            save_overlay(picture, dataset.load(id).image, read_labels(path))
        if progress:
            progress(index + 1, len(ids))
    seconds = [row["seconds"] for row in read_curve(times.path)]
    return sum(seconds) / len(seconds) if seconds else None


def _is_whole(path: Path) -> bool:
    """Whether an earlier start left a label map that can be read."""
    try:
        read_labels(path)
    except UserError:
        return False
    return True


def score_split(job: Job, dataset: Dataset, folder: JobFolder) -> list[dict[str, Any]]:
    """Score the stored predictions: a row for each image with its id, counts and metrics."""
    rows = []
    for id in dataset.ids(job.split):
        truth = dataset.load(id).labels
        assert truth is not None, "a split that is evaluated has truth: the dataset was checked before"
        rows.append({"id": id, **score_image(truth, read_labels(folder.prediction(id)))})
    return rows


def validate(segmenter: Segmenter, job: Job, dataset: Dataset, device: str) -> dict[str, float]:
    """Mean metrics on the first images of the validation split, as the job tests them."""
    rows = []
    for id in dataset.ids("val")[: job.training.validation_images]:
        sample = dataset.load(id)
        assert sample.labels is not None
        labels = segment_sample(segmenter, sample.image, job.tile, job.testing, device, job.training.precision)
        rows.append(score_image(sample.labels, labels))
    return mean_scores(rows)


def save_overlay(path: Path, image: np.ndarray, labels: np.ndarray) -> None:
    """Write the image with its objects coloured and outlined, as PNG."""
    with atomic_path(path) as temporary:
        Image.fromarray(overlay(image, labels)).save(temporary, format="PNG")
