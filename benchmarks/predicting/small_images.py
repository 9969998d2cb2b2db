"""Images that a network would fill up: those that fit a tile whole, with sides that are no multiples of 32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.metrics import relabel
from benchmarks.run.prediction import Labelled
from pctrans.images import SIZE_DIVISOR


def segment_continued(segment: Callable[[np.ndarray], Labelled], image: np.ndarray, tile: int) -> Labelled:
    """Segment an image (3, H, W); one that fits a tile is continued by its last row and column first, and cut after.

    Networks fill up images to multiples of 32 with black, which no training crop has at its border: objects there are
    missed, on a bright ground above all. Larger images are cut into tiles that need no filling.

    Args:
        segment: of an image of any size.
        tile: side of a tile in pixels.
    """
    height, width = image.shape[1:]
    below, right = -height % SIZE_DIVISOR, -width % SIZE_DIVISOR
    if max(height, width) > tile or not (below or right):
        return segment(image)
    labels, scores = segment(np.pad(image, ((0, 0), (0, below), (0, right)), mode="edge"))
    labels, ids, _ = relabel(labels[:height, :width])
    return labels.astype(np.int32), None if scores is None else scores[ids - 1]
