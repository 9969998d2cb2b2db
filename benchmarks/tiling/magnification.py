"""Images of another magnification than those that a model was trained on: resized for it, and its label maps back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
from skimage.transform import resize

from benchmarks.data.decoding.limits import MAX_PIXELS
from benchmarks.errors import UserError
from benchmarks.metrics import relabel

Labelled = tuple[np.ndarray, np.ndarray | None]
"""A label map (H, W), ids 1..K, and the score of each object (K,), or None where a method has none."""

Segment = Callable[[np.ndarray], Labelled]
"""From an image (3, H, W) in [0, 1] to its objects."""

ROUNDS = 4
SETTLED = 0.1
"""An estimate that changes by less than this share is taken: a tenth of a diameter makes no difference to a model."""
MOST = 8.0
"""Nothing is enlarged or reduced more than so many times on an estimate."""


def median_diameter(maps: Iterable[np.ndarray]) -> float | None:
    """Compute the median diameter, in pixels, of the circles that have the areas of all objects of the maps.

    Args:
        maps: (H, W) integers; 0 and below are no objects.

    Returns:
        None where there are no objects.
    """
    areas = [np.unique(labels[labels > 0], return_counts=True)[1] for labels in maps]
    found = np.concatenate(areas) if areas else np.zeros(0)
    return float(np.median(2 * np.sqrt(found / math.pi))) if len(found) else None


def segment_resized(segment: Segment, image: np.ndarray, factor: float) -> Labelled:
    """Segment an image that is resized by `factor`, and bring the label map to the image's own size.

    Images are resized bilinearly, smoothed first where they become smaller; labels by the nearest pixel, so that thin
    parts of an object may go where its image was enlarged. Objects that vanish leave no gap in the ids.

    Args:
        image: (3, H, W) float32 in [0, 1].
        factor: above 1 enlarges.

    Returns:
        The labels as (H, W) int32, and the scores of the objects that are left.

    Raises:
        UserError: the resized image would have more pixels than are read from files.
    """
    height, width = image.shape[1:]
    size = resized_shape((height, width), factor)
    if size[0] * size[1] > MAX_PIXELS:
        raise UserError(
            f"An image of {height} x {width} pixels would become {size[0]} x {size[1]} for objects to have the size "
            "that the model knows: cut it into parts, or give another --diameter."
        )
    if size == (height, width):
        return segment(image)
    shrinks = factor < 1
    resized = np.stack([resize(plane, size, order=1, anti_aliasing=shrinks) for plane in image]).astype(np.float32)
    labels, scores = segment(resized.clip(0, 1))
    dense, left, _ = relabel(resize_labels(labels, (height, width)))
    return dense.astype(np.int32), None if scores is None else scores[left - 1]


def checked_diameter(text: str | None, where: str) -> float | Literal["auto"] | None:
    """Read a diameter: pixels, "auto", or None for none.

    Args:
        where: what to name in errors.

    Raises:
        UserError: it is neither.
    """
    if text is None or text == "auto":
        return None if text is None else "auto"
    try:
        diameter = float(text)
    except ValueError:
        diameter = math.nan
    if not 1 <= diameter <= 10_000:
        raise UserError(f"{where} {text}: expected auto, or the diameter of the objects in pixels, from 1 to 10000.")
    return diameter


def resized_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """The (H, W) of an image of that shape, resized by `factor`."""
    height, width = shape
    return max(1, round(height * factor)), max(1, round(width * factor))


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a label map to (H, W) by the nearest pixel, int32."""
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
        for new, old in zip(size, labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)].astype(np.int32)


def estimate_diameter(segment: Segment, image: np.ndarray, trained: float) -> float | None:
    """Estimate the diameter of an image's objects, in its own pixels, from what a model finds.

    The image is segmented as it is, then at the size at which the objects found would have the diameter that the model
    knows, and so on until that changes little.

    Args:
        image: (3, H, W) float32 in [0, 1].
        trained: diameter of the objects that the model was trained on, in pixels.

    Returns:
        None where nothing was found.
    """
    factor = 1.0
    for _ in range(ROUNDS):
        diameter = median_diameter([segment_resized(segment, image, factor)[0]])
        if diameter is None:
            return None if factor == 1 else trained / factor
        found = min(max(trained / diameter, 1 / MOST), MOST)
        if abs(found / factor - 1) < SETTLED:
            return trained / found
        factor = found
    return trained / factor
