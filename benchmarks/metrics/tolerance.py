"""Pixels along the outlines of the truth that are not judged: there, two people who draw by hand do not agree either.

PASCAL VOC leaves out such a band around every object. Left-out pixels belong to nothing, on either side: they are in no
area, intersection or union, and a prediction that lies in the band entirely is neither matched nor spurious. A truth
that lies in it entirely keeps its own pixels, so that no truth goes unseen, however small it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import find_boundaries


def outline_band(truth: NDArray[np.integer], tolerance: int) -> NDArray[np.bool_]:
    """Find the pixels that are not judged.

    Args:
        truth: (H, W) ids, 0 background.
        tolerance: width of the band on each side of an outline, pixels; 0 leaves out nothing.

    Returns:
        (H, W) bool: pixels less than `tolerance` away from one with a 4-neighbour of another label, less those of
        truths that would have none left. The border of the image is no outline.
    """
    outline = find_boundaries(truth, connectivity=1, mode="thick") if tolerance else np.zeros(truth.shape, bool)
    if not outline.any():
        return outline
    band = distance_transform_edt(~outline) < tolerance
    vanishing = np.setdiff1d(truth[band], truth[~band])
    return np.asarray(band & ~(np.isin(truth, vanishing) & (truth > 0)))


def left_out(
    truth: NDArray[np.integer], prediction: NDArray[np.integer], tolerance: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return both label maps (H, W) with background where pixels are not judged."""
    band = outline_band(truth, tolerance)
    return np.where(band, 0, truth), np.where(band, 0, prediction)
