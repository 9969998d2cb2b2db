"""Pieces of an object that lie apart from it and are too small to be a part of it."""

from __future__ import annotations

import numpy as np
from skimage.measure import label

STRAY = 0.1
"""A piece with less than this share of the pixels of its object's largest piece is a stray."""


def without_strays(labels: np.ndarray) -> np.ndarray:
    """Cut stray pieces from the objects of a label map.

    A mask head may mark a few pixels far from the object that it answers for. They cost a score next to nothing, but
    make the object's bounding box, axes and centroid those of nothing in the image. A piece of some size stays: what
    lies across a leaf or a worm may hide its middle.

    Args:
        labels: (H, W) integers; 0 is background. Pieces are 8-connected.

    Returns:
        A copy, in which every object is left, as its largest piece is.
    """
    pieces = label(labels, background=0, connectivity=2)
    areas = np.bincount(pieces.ravel())
    owner = np.zeros(len(areas), labels.dtype)
    owner[pieces] = labels
    largest = np.zeros(int(labels.max(initial=0)) + 1, areas.dtype)
    np.maximum.at(largest, owner[1:], areas[1:])
    stray = areas < STRAY * largest[owner]
    stray[0] = False
    return np.where(stray[pieces], 0, labels).astype(labels.dtype)
