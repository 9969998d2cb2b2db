"""Images of another magnification than those that a model was trained on: resized for it, and its label maps back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
from scipy.ndimage import find_objects
from skimage.segmentation import clear_border
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
CLOSE = 1.3
"""Objects at most so many times larger or smaller than the model knows are best left as they are (docs/nuclei.md)."""
MOST = 8.0
"""An estimate that asks for more is not believed: specks or the whole ground were taken for objects."""
_LOOKED_AT = 100


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
    knows, and so on until that changes little. Of an enlarged image the part with the most objects is enough, so that
    no round has more pixels than the image.

    Args:
        image: (3, H, W) float32 in [0, 1].
        trained: diameter of the objects that the model was trained on, in pixels.

    Returns:
        `trained` where the objects are about that large; None where nothing was found, as the image is or resized, or
        nothing to be believed.
    """
    factor, part = 1.0, image
    for _ in range(ROUNDS):
        labels = segment_resized(segment, part, factor)[0]
        whole = labels if part is image else clear_border(labels)  # where a part was cut out, so were objects
        diameter = median_diameter([whole]) or median_diameter([labels])
        if diameter is None:
            return None
        found = trained / diameter
        if factor == 1 and 1 / CLOSE <= found <= CLOSE:
            return trained
        if not 1 / MOST < found < MOST:
            return None
        if abs(found / factor - 1) < SETTLED:
            return trained / found
        if factor == 1:
            part = _fullest_part(image, labels, found) if found > 1 else image
        factor = found
    return trained / factor


def _fullest_part(image: np.ndarray, labels: np.ndarray, times: float) -> np.ndarray:
    """Cut the 1/`times` of an image's height and width that holds the most whole objects."""
    boxes = [box for box in find_objects(labels) if box]
    starts, stops = (np.array([[getattr(side, end) for side in box] for box in boxes]) for end in ("start", "stop"))
    size = np.ceil(np.array(labels.shape) / times).astype(int)
    corners = np.clip((starts + stops - size) // 2, 0, labels.shape - size)  # of parts with an object in the middle
    corners = corners[:: math.ceil(len(corners) / _LOOKED_AT)]
    whole = [((starts >= corner) & (stops <= corner + size)).all(axis=1).sum() for corner in corners]
    top, left = corners[int(np.argmax(whole))]
    return image[:, top : top + size[0], left : left + size[1]]
