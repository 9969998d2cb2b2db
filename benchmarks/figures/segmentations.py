"""Segmentations of several test images side by side (figure 3)."""

from __future__ import annotations

import math
import statistics

import numpy as np

from benchmarks.data import read_labels
from benchmarks.errors import UserError
from benchmarks.figures.activations import Arrays
from benchmarks.figures.facts import RowFacts, Segmentations, SegmentedImage
from benchmarks.figures.looking import Request, window_facts
from benchmarks.figures.selection import by_difficulty, crowded_window, typical_side
from benchmarks.figures.sources import Source
from benchmarks.store.overlays import stretch

OBJECTS_ACROSS = 6
"""Side of the window in sides of a typical object; larger windows cannot be judged in print."""


def compute(request: Request) -> tuple[Segmentations, list[RowFacts], Arrays]:
    """Compute the figure for all finished rows, however their label maps were made.

    Arrays, whole images: for each image I from 0 `image_I` (H, W, 3) uint8 and `truth_I` (H, W), and for each row R
    of the table `prediction_I_R` (H, W).

    Raises:
        UserError: no row is finished, no image was scored by every row, or a prediction does not fit its image.
    """
    done = [source for source in request.sources if source.done]
    chosen = by_difficulty([source.scores for source in done], request.spec.examples)
    if not chosen:
        raise UserError(f"{request.spec.name}: no test image with objects was scored by every row that is finished.")
    arrays: Arrays = {}
    images = [_image(request, done, place, image, arrays) for place, image in enumerate(reversed(chosen))]
    return Segmentations(images=images), [source.facts for source in request.sources], arrays


def _image(request: Request, done: list[Source], place: int, image: str, arrays: Arrays) -> SegmentedImage:
    sample = request.dataset.load(image)
    truth = sample.objects
    arrays[f"image_{place}"], arrays[f"truth_{place}"] = stretch(sample.image), truth
    for source in done:
        arrays[f"prediction_{place}_{source.facts.row}"] = _prediction(source, image, truth)
    box = crowded_window(truth, math.ceil(OBJECTS_ACROSS * typical_side(truth)))
    return SegmentedImage(
        window=window_facts(image, box, truth.shape),
        difficulty=statistics.median(source.scores[image] for source in done),
        pq={source.facts.row: source.scores[image] for source in done},
    )


def _prediction(source: Source, image: str, truth: np.ndarray) -> np.ndarray:
    path = source.folder.prediction(image)
    prediction = read_labels(path)
    if prediction.shape != truth.shape:
        raise UserError(f"{path} has shape {prediction.shape}, its image {truth.shape}: the data have changed.")
    return prediction
