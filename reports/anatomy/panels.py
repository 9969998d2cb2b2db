"""A panel of an anatomy: the image dim and grey, each error in the colour of its kind."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import find_boundaries

from benchmarks.metrics.anatomy import Anatomy
from reports.anatomy.colours import COLOURS
from reports.panels import backdrop, enlarge

FILL = 0.75
OUTLINE = (190, 190, 190)
"""Of every truth, so that what is right can be seen too."""


def error_map(truth: np.ndarray, prediction: np.ndarray, found: Anatomy) -> np.ndarray:
    """Say of each pixel to which kind of error it belongs.

    Args:
        truth, prediction: (H, W) ids.
        found: their anatomy.

    Returns:
        (H, W) kinds, "" where there is no error. Where instances of several kinds overlap, that of the prediction
        wins; the boundary is what a match and its truth do not share, where nothing else is.
    """
    kinds = np.full(truth.shape, "", "<U12")
    of_truth = _per_pixel(truth, found.table.truth_ids, found.fates.truths)
    of_prediction = _per_pixel(prediction, found.table.prediction_ids, found.fates.predictions)
    kinds[(of_truth == "matched") | (of_prediction == "matched")] = "boundary"
    kinds[_agreed(truth, prediction, found)] = ""
    for fates in (of_truth, of_prediction):
        wrong = (fates != "") & (fates != "matched")
        kinds[wrong] = fates[wrong]
    return kinds


def error_panel(picture: np.ndarray, truth: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Draw a window: (H, W, 3) uint8 picture, (H, W) truth and kinds -> (ZOOM H, ZOOM W, 3) uint8."""
    panel = enlarge(backdrop(picture)).astype(np.float32)
    for kind, colour in COLOURS.items():
        here = enlarge(kinds == kind)
        panel[here] = (1 - FILL) * panel[here] + FILL * np.array(colour, np.float32)
    panel[find_boundaries(enlarge(truth), mode="inner")] = OUTLINE
    return panel.round().astype(np.uint8)


def _per_pixel(labels: np.ndarray, ids: np.ndarray, fates: np.ndarray) -> np.ndarray:
    """The fate of each pixel's instance, (H, W); "" on background."""
    names = np.concatenate([[""], fates])
    return names[np.where(np.isin(labels, ids), np.searchsorted(ids, labels) + 1, 0)]


def _agreed(truth: np.ndarray, prediction: np.ndarray, found: Anatomy) -> np.ndarray:
    """The pixels that a truth and its match share, (H, W) bool."""
    table, matches = found.table, found.fates.matches
    partner = np.full(table.num_truth + 1, -1)
    partner[table.truth_index[matches]] = table.prediction_ids[table.prediction_index[matches]]
    known = np.isin(truth, table.truth_ids)
    return partner[np.where(known, np.searchsorted(table.truth_ids, truth), table.num_truth)] == prediction
