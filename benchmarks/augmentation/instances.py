"""Number the instances of a crop: tell which of its pixels belong together.

An instance of the source may reach the crop in several pieces, for four reasons:

- padding shows it and its mirrored copy: each copy is an instance, even where the two touch at the mirror;
- the crop's border cut it in two: each piece is an instance, as nothing in the crop shows that they belong
  together;
- it was in several pieces already, like a leaf that another one covers: the pieces stay one instance;
- sampling tore a thin part off: the parts stay one instance. Unlike a part that was cut, such a part does not reach
  the crop's border.
"""

from __future__ import annotations

import numpy as np
import torch
from skimage.measure import label
from torch import Tensor


def crop_instances(labels: Tensor, index: Tensor, reflections: Tensor, *, min_pixels: int) -> Tensor:
    """Number the instances of a crop.

    Where the border cuts one connected piece of the source, the largest part keeps the instance's id, with
    any other pieces of the source, and each further part becomes an instance of its own.

    Args:
        labels: (H, W) int, the whole source; 0 background.
        index: (h, w) int, the pixel of the flattened source that each pixel of the crop was read from.
        reflections: (2, h, w) int, the reflection of the source that each pixel was read from.
        min_pixels: instances with fewer pixels than this in the crop become background.

    Returns:
        (h, w) int64, ids 1..K without gaps, on the device of `labels`.
    """
    source, pixel = labels.cpu().numpy(), index.cpu().numpy().ravel()
    down, across = (reflections - reflections.amin(dim=(1, 2), keepdim=True)).cpu().numpy()
    copy = down * (across.max() + 1) + across
    crop = source.ravel()[pixel].reshape(copy.shape).astype(np.int64)
    owner = np.where(crop > 0, crop + copy * (crop.max() + 1), 0)  # one number for each instance of each copy

    pieces = _connected(owner)
    area = np.bincount(pieces.ravel())
    position = np.zeros(len(area), dtype=np.int64)
    position[pieces.ravel()] = np.arange(pieces.size)  # some pixel of each piece
    identity = np.stack([owner.ravel()[position], np.zeros_like(position)])
    cut = _further_parts(source, identity[0], pixel[position], area, at_border=_border_values(pieces))
    identity[1, cut] = cut
    identity[:, 0] = 0  # the background has no position where instances fill the crop

    instance = np.unique(identity, axis=1, return_inverse=True)[1].ravel()
    large_enough = np.bincount(instance, weights=area) >= min_pixels
    large_enough[instance[0]] = False  # piece 0 is the background
    ids = np.where(large_enough, np.cumsum(large_enough), 0)
    return torch.from_numpy(ids[instance][pieces]).to(labels.device)


def _further_parts(
    source: np.ndarray, owner: np.ndarray, pixel: np.ndarray, area: np.ndarray, *, at_border: np.ndarray
) -> np.ndarray:
    """Find the pieces `at_border` that are not the largest part of their connected piece of the source."""
    further: list[int] = []
    owners, count = np.unique(owner[at_border], return_counts=True)
    for several in owners[count > 1]:
        parts = at_border[owner[at_border] == several]
        largest_first = parts[np.argsort(-area[parts], kind="stable")]
        # Components are found here, for the few instances that need them: over a whole image they take longer
        # than the rest of the augmentation.
        components = _connected(source == source.flat[pixel[parts[0]]])
        first_of_each = np.unique(components.flat[pixel[largest_first]], return_index=True)[1]
        further.extend(np.delete(largest_first, first_of_each))
    return np.array(further, dtype=np.int64)


def _connected(values: np.ndarray) -> np.ndarray:
    """Number the 8-connected components of equal values from 1; 0 is background."""
    return label(values, background=0, connectivity=2).astype(np.int64, copy=False)


def _border_values(pieces: np.ndarray) -> np.ndarray:
    values = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
    return values[values > 0]
