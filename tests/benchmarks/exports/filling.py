"""Filling polygons by Matplotlib, which knows nothing of how outlines are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from matplotlib.path import Path


def filled(rings: Iterable[Sequence[Sequence[float]]], shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: the pixels whose centres lie inside of an odd number of rings of corners (x, y)."""
    rows, columns = np.indices(shape)
    centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    inside = np.zeros(len(centres), bool)
    for ring in rings:
        inside ^= Path(np.array([*ring, ring[0]], float)).contains_points(centres)
    return inside.reshape(shape)


def label_maps() -> st.SearchStrategy[np.ndarray]:
    """Small maps of few ids with gaps: pieces, holes and corners that touch are the rule."""
    sizes = array_shapes(min_dims=2, max_dims=2, max_side=9)
    return arrays(np.int32, sizes, elements=st.sampled_from([0, 0, 1, 1, 4, 70_000]), fill=st.nothing())
