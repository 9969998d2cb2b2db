"""The rules of stitching, one by one, on tiles of 32 that overlap by 12: columns (and rows) 20 to 31."""

from __future__ import annotations

import numpy as np

from benchmarks.tiling.grid import tile_grid
from benchmarks.tiling.stitch import Stitcher

Box = tuple[int, int, int, int]  # first and last row, first and last column


def label_map(shape: tuple[int, int], *boxes: Box) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    for index, (top, bottom, left, right) in enumerate(boxes, start=1):
        labels[top : bottom + 1, left : right + 1] = index
    return labels


def stitch(height: int, *seen_in_tile: list[Box]) -> np.ndarray:
    """Stitch an image 52 wide from what each tile sees, in raster order; boxes in the image's coordinates."""
    stitcher = Stitcher(height, 52)
    for tile, boxes in zip(tile_grid(height, 52, 32, 12), seen_in_tile, strict=True):
        stitcher.add(label_map((height, 52), *boxes)[tile.top : tile.bottom, tile.left : tile.right], tile)
    return stitcher.finish()


def test_a_whole_object_replaces_the_part_that_the_tile_before_saw():
    found = stitch(32, [(10, 19, 25, 31)], [(11, 19, 25, 38)])
    assert np.array_equal(found, label_map((32, 52), (11, 19, 25, 38)))


def test_of_two_whole_views_the_first_stays():
    found = stitch(32, [(10, 19, 24, 27)], [(10, 20, 24, 27)])
    assert np.array_equal(found, label_map((32, 52), (10, 19, 24, 27)))


def test_two_cut_views_are_joined():
    found = stitch(32, [(10, 19, 10, 31)], [(11, 20, 20, 45)])
    expected = label_map((32, 52), (10, 19, 10, 31)) | label_map((32, 52), (11, 20, 20, 45))
    assert np.array_equal(found, expected)


def test_a_cut_fragment_of_an_object_seen_whole_before_is_dropped():
    # In the overlap the first saw one column of its object, the second five: IoU 1/5.
    found = stitch(32, [(10, 19, 14, 20)], [(10, 19, 20, 24)])
    assert np.array_equal(found, label_map((32, 52), (10, 19, 14, 20)))


def test_a_cut_fragment_of_an_object_seen_whole_afterwards_is_dropped():
    # Two columns at the first tile's border, IoU 2/10 in the overlap.
    found = stitch(32, [(10, 19, 30, 31)], [(12, 15, 26, 38)])
    assert np.array_equal(found, label_map((32, 52), (12, 15, 26, 38)))


def test_an_unconfirmed_object_that_goes_on_outside_of_the_tile_stays():
    found = stitch(32, [(10, 19, 10, 31)], [])
    assert np.array_equal(found, label_map((32, 52), (10, 19, 10, 31)))


def test_a_new_object_that_is_mostly_taken_leaves_no_crumb():
    found = stitch(32, [(8, 21, 16, 27)], [(10, 13, 25, 28)])  # 12 of 16 pixels are taken
    assert np.array_equal(found, label_map((32, 52), (8, 21, 16, 27)))


def test_a_new_object_that_is_mostly_free_takes_what_is_free():
    found = stitch(32, [(8, 21, 16, 26)], [(10, 13, 26, 40)])
    assert np.array_equal(found, label_map((32, 52), (8, 21, 16, 26), (10, 13, 27, 40)))


def test_the_tile_above_and_to_the_right_knows_better_too():
    # The lower left tile sees something at its right border, in rows that the upper right tile saw whole.
    found = stitch(52, [], [], [(25, 30, 28, 31)], [])
    assert not found.any()
    # The lower right tile, too, sees it: then it is one of its own.
    found = stitch(52, [], [], [(25, 34, 28, 31)], [(25, 34, 28, 36)])
    assert np.array_equal(found, label_map((52, 52), (25, 34, 28, 36)))
