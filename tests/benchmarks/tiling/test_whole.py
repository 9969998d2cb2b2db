"""Objects longer than the overlap: named, and in chains put together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from torch import Tensor

from benchmarks.tiling import never_whole, segment_image
from benchmarks.tiling.grid import tile_grid
from benchmarks.tiling.stitch import BORDER


def connected(images: Tensor) -> Tensor:
    """Segment by connected parts of each tile, as a method that errs nowhere but cannot see beyond the tile."""
    return torch.stack([torch.from_numpy(label(image[0].numpy() > 0.5, np.ones((3, 3)))[0]) for image in images])


def worm(kind: str, height: int, width: int) -> np.ndarray:
    rows, columns = np.indices((height, width))
    if kind == "waves":
        return (abs(rows - 64 - 45 * np.sin(columns / 40)) < 4) & (columns > 10) & (columns < width - 10)
    if kind == "diagonal":
        return abs(rows - columns * height / width) < 4
    arms = ((abs(rows - 30) < 4) | (abs(rows - 90) < 4)) & (columns > 10) & (columns < 300)
    return arms | ((abs(columns - 300) < 4) & (rows > 27) & (rows < 94))


@pytest.mark.parametrize("kind", ["waves", "diagonal", "hairpin"])
def test_a_worm_through_many_tiles_is_one_object_with_chains(kind: str) -> None:
    truth = worm(kind, 128, 400)
    image = np.stack([truth] * 3).astype(np.float32)
    found = segment_image(connected, image, tile=64, overlap=16, chains=True)
    assert ((found > 0) == truth).all()
    assert found.max() == 1
    (extent,) = never_whole(found, tile=64, overlap=16)
    rows, columns = np.nonzero(truth)
    assert (extent.id, extent.height, extent.width) == (1, np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert never_whole(found, tile=512, overlap=16) == []


def test_without_chains_the_parts_of_a_worm_are_named() -> None:
    image = np.stack([worm("waves", 128, 400)] * 3).astype(np.float32)
    found = segment_image(connected, image, tile=64, overlap=16)
    assert found.max() > 1
    assert {one.id for one in never_whole(found, tile=64, overlap=16)} == set(range(1, found.max() + 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(40, 110), st.integers(40, 110))
def test_chains_change_nothing_about_objects_that_are_smaller_than_the_overlap(
    seed: int, height: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    image = np.zeros((3, height, width), np.float32)
    for _ in range(8):
        top, left = rng.integers(height - 4), rng.integers(width - 4)
        image[:, top : top + 4, left : left + 4] = 1
    plain, chained = (segment_image(connected, image, tile=32, overlap=16, chains=chains) for chains in (False, True))
    # Where squares touch, they are an object that may be larger than the overlap.
    assume(not never_whole(chained, tile=32, overlap=16))
    np.testing.assert_array_equal(plain, chained)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(20, 120), st.integers(20, 120), st.integers(0, 20))
def test_whole_means_away_from_the_inner_borders_of_some_tile(seed: int, height: int, width: int, overlap: int) -> None:
    rng = np.random.default_rng(seed)
    top, left = rng.integers(height), rng.integers(width)
    labels = np.zeros((height, width), np.int32)
    labels[top : top + rng.integers(1, 40), left : left + rng.integers(1, 40)] = 1
    rows, columns = np.nonzero(labels)
    whole = False
    for tile in tile_grid(height, width, 32, overlap):
        inside = labels[tile.top : tile.bottom, tile.left : tile.right].copy()
        if tile.top:
            inside[:BORDER] = 0
        if tile.bottom < height:
            inside[-BORDER:] = 0
        if tile.left:
            inside[:, :BORDER] = 0
        if tile.right < width:
            inside[:, -BORDER:] = 0
        whole |= inside.sum() == labels.sum()
    found = never_whole(labels, tile=32, overlap=overlap)
    assert [(one.height, one.width) for one in found] == ([] if whole else [(np.ptp(rows) + 1, np.ptp(columns) + 1)])
