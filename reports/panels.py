"""Panels of a visual comparison: a prediction in the colours of the truth it matches, with errors outlined."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation
from skimage.segmentation import find_boundaries

from benchmarks.metrics import contingency_table
from benchmarks.store.overlays import blend

ZOOM = 4  # drawn pixels to a pixel of the image: outlines stay thin
FILL = 0.6
DIM = 0.5  # brightness kept under colours
MISSED = (255, 40, 40)
FALSE = (255, 255, 255)
STRIPE = 12  # drawn pixels


def backdrop(picture: np.ndarray) -> np.ndarray:
    """Make a dim grey version of a (H, W, 3) uint8 picture, on which every colour of the palette stands out."""
    grey = DIM * picture.mean(axis=2, keepdims=True)
    return np.repeat(grey, 3, axis=2).astype(np.uint8)


def matches(truth: np.ndarray, prediction: np.ndarray) -> dict[int, int]:
    """Match predictions and truths whose IoU is above 0.5, as F1 and PQ do: prediction id -> truth id, one to one."""
    table = contingency_table(truth, prediction)
    matched = 2 * table.intersections > table.unions
    pairs = zip(table.prediction_index[matched], table.truth_index[matched], strict=True)
    return {int(table.prediction_ids[one]): int(table.truth_ids[other]) for one, other in pairs}


def truth_panel(picture: np.ndarray, truth: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Draw the truth: (H, W, 3) picture, (H, W) ids and (H, W, 3) colours -> (ZOOM H, ZOOM W, 3) uint8."""
    return blend(enlarge(backdrop(picture)), enlarge(colours), enlarge(truth), FILL)


def prediction_panel(
    picture: np.ndarray,
    truth: np.ndarray,
    prediction: np.ndarray,
    pairs: dict[int, int],
    truth_colours: dict[int, np.ndarray],
) -> np.ndarray:
    """Draw a prediction so that a reader can compare it with the truth.

    Matched objects have the colour of their truth; false objects are striped; truths that no object matches
    are outlined. The arrays may be a window of the image; `pairs` and `truth_colours` are then the whole image's.

    Args:
        picture: (H, W, 3) uint8.
        truth, prediction: (H, W) int, 0 background.
        pairs: prediction id -> truth id, as `matches` gives them.
        truth_colours: truth id -> (3,) uint8.

    Returns:
        (ZOOM H, ZOOM W, 3) uint8.
    """
    colours = np.zeros((*prediction.shape, 3), np.uint8)
    for predicted, true in pairs.items():
        colours[prediction == predicted] = truth_colours[true]
    fine = enlarge(prediction)
    matched = np.where(np.isin(fine, list(pairs)), fine, 0)
    panel = blend(enlarge(backdrop(picture)), enlarge(colours), matched, FILL)
    _stripe(panel, np.where(matched, 0, fine))
    missed = enlarge(np.where(np.isin(truth, list(pairs.values())), 0, truth))
    panel[_outline(missed)] = MISSED
    return panel


def enlarge(array: np.ndarray) -> np.ndarray:
    """Enlarge every pixel to a square of ZOOM by ZOOM."""
    return array.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)


def _stripe(panel: np.ndarray, false: np.ndarray) -> None:
    """Stripe and outline false objects in place: shape, not colour alone, tells them apart."""
    rows, columns = np.indices(false.shape)
    stripes = (rows + columns) % STRIPE < STRIPE // 3
    panel[(false > 0) & stripes] = FALSE
    panel[_outline(false)] = FALSE


def _outline(labels: np.ndarray) -> np.ndarray:
    """Find outlines (H, W) bool, four drawn pixels wide: a line of one pixel vanishes in print."""
    return binary_dilation(find_boundaries(labels, mode="thick"))
