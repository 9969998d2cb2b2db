"""Measurements of segmented objects, one row an object."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.measure import regionprops_table

from benchmarks.metrics import relabel

# scikit-image's name of each column after splitting, and ours.
SHAPE_COLUMNS = {
    "centroid-1": "centroid_x",
    "centroid-0": "centroid_y",
    "area": "area",
    "bbox-1": "bbox_left",
    "bbox-0": "bbox_top",
    "bbox-3": "bbox_right",
    "bbox-2": "bbox_bottom",
    "equivalent_diameter_area": "equivalent_diameter",
    "axis_major_length": "major_axis",
    "axis_minor_length": "minor_axis",
    "eccentricity": "eccentricity",
    "perimeter": "perimeter",
    "solidity": "solidity",
}
INTENSITY_COLUMNS = {
    "intensity_mean": "mean_intensity",
    "intensity_min": "min_intensity",
    "intensity_max": "max_intensity",
}
COUNTS = {"area", "bbox_left", "bbox_top", "bbox_right", "bbox_bottom"}


def measurement_columns(*, intensity: bool) -> list[str]:
    """Return the names of the columns of `object_measurements`, with those of the intensity or without."""
    shape = ["label", *SHAPE_COLUMNS.values()]
    return [*shape, *INTENSITY_COLUMNS.values()] if intensity else shape


def object_measurements(labels: np.ndarray, image: np.ndarray | None = None) -> list[dict[str, Any]]:
    """Measure every object of a label map.

    Args:
        labels: (H, W) integers, 0 background; ids may have gaps and any size.
        image: (H, W) or (C, H, W); the intensity of a pixel is the mean of its channels. None leaves the
            columns of the intensity out.

    Returns:
        One row per object, ascending by `label`, with the columns of `measurement_columns`. Lengths are in
        pixels, areas in pixels²; the centroid is in pixel indices, x to the right and y downwards; the
        bounding box excludes its right and bottom; eccentricity and solidity are in [0, 1]; intensities are
        in the image's unit. No objects give no rows.

    Raises:
        ValueError: the image and the label map differ in height or width.
    """
    # scikit-image allocates one slot for every id up to the highest.
    dense, ids, _ = relabel(labels)
    if not len(ids):
        return []
    columns = SHAPE_COLUMNS | (INTENSITY_COLUMNS if image is not None else {})
    table = regionprops_table(
        dense,
        intensity_image=None if image is None else _grey(image, labels.shape),
        properties=sorted({name.partition("-")[0] for name in columns}),
    )
    return [
        {"label": int(label)}
        | {ours: (int if ours in COUNTS else float)(table[theirs][row]) for theirs, ours in columns.items()}
        for row, label in enumerate(ids)
    ]


def _grey(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if image.shape[-2:] != shape or image.ndim not in (2, 3):
        raise ValueError(f"image of shape {image.shape} for labels of shape {shape}")
    return image.mean(axis=0) if image.ndim == 3 else image
