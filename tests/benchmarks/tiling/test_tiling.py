from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from torch import Tensor

from benchmarks.errors import UserError
from benchmarks.metrics import contingency_table, relabel
from benchmarks.tiling import segment_image
from benchmarks.tiling.flips import vote
from benchmarks.tiling.grid import tile_grid, tile_starts

BASE = 256


def encode(labels: np.ndarray) -> np.ndarray:
    """Return an image (3, H, W) in [0, 1] off which the label map can be read."""
    return np.stack([labels % BASE, labels // BASE, 0 * labels]).astype(np.float32) / BASE


def oracle(images: Tensor) -> Tensor:
    """Read the true label maps off encoded images, with the ids renumbered 1..K as methods give them."""
    codes = ((images[:, 0] + BASE * images[:, 1]) * BASE).round().long()
    return torch.stack([torch.from_numpy(relabel(code.numpy())[0]) for code in codes])


def blobs(height: int, width: int, seed: int, radius: int) -> np.ndarray:
    """Return a map (H, W) of discs, many of them touching; where they overlap the later is in front."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    labels = np.zeros((height, width), np.int32)
    for index in range(1, 2 + height * width // (3 * radius**2)):
        row, column = random.integers(height), random.integers(width)
        size = random.integers(2, radius + 1)
        labels[(rows - row) ** 2 + (columns - column) ** 2 <= size**2] = index
    return labels


def whole(labels: np.ndarray) -> np.ndarray:
    """Leave out what discs in front have cut into pieces: of single pixels far apart tiles need not agree."""
    pieces = [label(labels == id, np.ones((3, 3)))[1] for id in range(labels.max() + 1)]
    return np.where(np.array(pieces)[labels] == 1, labels, 0)


def assert_same_objects(found: np.ndarray, truth: np.ndarray) -> None:
    table = contingency_table(truth, found)
    assert table.num_truth == table.num_predicted == len(table.intersections)
    assert (table.ious == 1).all()
    assert found.dtype == np.int32
    assert table.prediction_ids.tolist() == list(range(1, table.num_predicted + 1))


@given(st.integers(1, 300), st.integers(1, 64), st.data())
def test_tiles_cover_the_axis_and_overlap_enough(length: int, tile: int, data: st.DataObject):
    overlap = data.draw(st.integers(0, tile - 1))
    starts = tile_starts(length, tile, overlap)
    ends = [min(start + tile, length) for start in starts]
    assert starts[0] == 0
    assert ends[-1] == length
    assert all(end - start >= overlap for end, start in zip(ends, starts[1:], strict=False))
    assert len(starts) == 1 or all(end - start == tile for start, end in zip(starts, ends, strict=True))
    # No fewer tiles would do.
    assert len(starts) == 1 or (len(starts) - 1) * (tile - overlap) + overlap < length


def test_seen_area_is_what_earlier_tiles_cover():
    covered = np.zeros((70, 90), bool)
    for tile in tile_grid(70, 90, 32, 10):
        window = covered[tile.top : tile.bottom, tile.left : tile.right]
        seen = np.zeros_like(window)
        seen[: tile.seen_rows] = seen[:, : tile.seen_columns] = True
        assert np.array_equal(window, seen)
        window[:] = True
    assert covered.all()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 110), st.integers(1, 110), st.integers(0, 10**6), st.booleans(), st.integers(1, 5))
@example(99, 92, 14, False, 1)
def test_objects_smaller_than_the_overlap_come_back(height: int, width: int, seed: int, flips: bool, batch_size: int):
    truth = whole(blobs(height, width, seed, radius=5))  # 11 pixels across
    found = segment_image(oracle, encode(truth), tile=32, overlap=12, batch_size=batch_size, flips=flips)
    assert_same_objects(found, truth)


@pytest.mark.parametrize("overlap", [16, 28])
def test_objects_larger_than_the_overlap_are_joined(overlap: int):
    truth = np.zeros((90, 120), np.int32)
    truth[5:80, 8:40] = 1
    truth[20:30, 40:115] = 2  # touches the first
    found = segment_image(oracle, encode(truth), tile=32, overlap=overlap)
    assert_same_objects(found, truth)


def test_an_image_that_fits_a_tile_is_passed_as_it_is():
    shapes = []

    def segment(images: Tensor) -> Tensor:
        shapes.append(tuple(images.shape))
        return oracle(images)

    truth = blobs(20, 31, 0, 5)
    assert_same_objects(segment_image(segment, torch.from_numpy(encode(truth)), tile=32, overlap=8), truth)
    assert shapes == [(1, 3, 20, 31)]


def test_tiles_have_the_size_of_the_training_crop_and_come_in_batches():
    shapes = []

    def segment(images: Tensor) -> Tensor:
        shapes.append(tuple(images.shape))
        return oracle(images)

    truth = blobs(9, 100, 1, 4)
    assert_same_objects(segment_image(segment, encode(truth), tile=32, overlap=10, batch_size=3), truth)
    # Starts 0, 17, 34, 51, 68 in batches of three; 9 rows are extended to 32.
    assert shapes == [(3, 3, 32, 32), (2, 3, 32, 32)]


def test_an_axis_of_one_pixel_is_extended():
    position = np.arange(60)[None]
    truth = np.where(position % 7 > 0, position // 7 + 1, 0)
    assert_same_objects(segment_image(oracle, encode(truth), tile=16, overlap=8), truth)


def test_a_memory_map_can_be_read(tmp_path: Path):
    truth = blobs(70, 90, 2, 5)
    np.save(tmp_path / "image.npy", encode(truth))
    image = np.load(tmp_path / "image.npy", mmap_mode="r")
    assert_same_objects(segment_image(oracle, image[:, ::-1], tile=32, overlap=12), truth[::-1])


def frayed(images: Tensor) -> Tensor:
    """Segment as the oracle does, but let objects that the crop's border cuts end two pixels before it."""
    labels = oracle(images)
    for labels_of_one in labels:
        cut = torch.cat([labels_of_one[0], labels_of_one[-1], labels_of_one[:, 0], labels_of_one[:, -1]])
        is_cut = torch.isin(labels_of_one, cut[cut > 0].unique())
        inner = torch.zeros_like(is_cut)
        inner[2:-2, 2:-2] = True
        labels_of_one[is_cut & ~inner] = 0
    return labels


def test_the_whole_view_of_an_object_replaces_a_cut_one_and_leaves_no_crumbs():
    truth = np.zeros((80, 110), np.int32)
    for index, (row, column) in enumerate(np.ndindex(7, 10), start=1):
        truth[4 + 10 * row : 12 + 10 * row, 6 + 10 * column : 14 + 10 * column] = index
    found = segment_image(frayed, encode(truth), tile=48, overlap=20)
    assert_same_objects(found, truth)


def test_an_object_at_a_border_that_the_neighbour_does_not_confirm_is_dropped():
    truth = np.zeros((32, 52), np.int32)
    truth[10:18, 3:11] = 1

    def segment(images: Tensor) -> Tensor:
        labels = oracle(images)
        labels[:, 20:24, 29:] = 2  # an artefact at the right border of every crop
        return labels

    found = segment_image(segment, encode(truth), tile=32, overlap=12)
    # The first tile's artefact is inside the second tile, which sees nothing there; the second's stays.
    expected = truth.copy()
    expected[20:24, 49:] = 2
    assert_same_objects(found, expected)


def test_touching_objects_across_a_border_stay_two():
    truth = np.zeros((32, 52), np.int32)
    truth[10:20, 20:26] = 1
    truth[10:20, 26:32] = 2
    assert_same_objects(segment_image(oracle, encode(truth), tile=32, overlap=12), truth)


def test_vote_keeps_what_half_of_the_views_see_and_takes_the_majority_of_pixels():
    views = np.zeros((4, 6, 20), np.int64)
    views[:, 1:5, 1:5] = 1
    views[:3, 1:5, 5] = 1  # one column more in three views
    views[3, 1:5, 6] = 1  # another in one
    views[:2, 1:5, 8:11] = 2  # seen by two
    views[0, 1:5, 13:17] = 3  # seen by one, the reference
    views[2, 1:5, 13:15] = 3  # and half of it by another: no match
    views[3] *= 5  # other ids in another view
    expected = np.zeros((6, 20), np.int64)
    expected[1:5, 1:6] = 1
    expected[1:5, 8:11] = 2
    assert np.array_equal(relabel(vote(list(views)))[0], expected)


def test_an_odd_view_is_not_the_reference():
    views = np.zeros((4, 4, 12), np.int64)
    views[1:, :, 2:8] = 1
    views[0, :, 10:] = 1
    assert np.array_equal(vote(list(views)), views[1])


def test_the_reference_decides_where_the_votes_are_even():
    views = np.zeros((4, 4, 12), np.int64)
    views[:2, :, 2:8] = 1
    views[2:, :, 3:9] = 1
    combined = vote(list(views))
    assert (combined > 0).sum() == 24
    assert np.array_equal(combined > 0, views[0] > 0)


def test_flips_are_turned_back():
    truth = blobs(40, 50, 3, 6)
    upright = []

    def segment(images: Tensor) -> Tensor:
        upright.append(oracle(images)[0, 0, 0].item())
        return oracle(images)

    assert_same_objects(segment_image(segment, encode(truth), tile=64, overlap=8, flips=True), truth)
    assert len(upright) == 4


def test_no_objects():
    assert not segment_image(oracle, np.zeros((3, 50, 70), np.float32), tile=32, overlap=8, flips=True).any()


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((1, 40, 40), {"tile": 32, "overlap": 8}, r"shape \(1, 40, 40\)"),
        ((40, 40), {"tile": 32, "overlap": 8}, r"shape \(40, 40\)"),
        ((3, 0, 40), {"tile": 32, "overlap": 8}, r"shape \(3, 0, 40\)"),
        ((3, 40, 40), {"tile": 32, "overlap": 32}, "overlap 32"),
        ((3, 40, 40), {"tile": 0, "overlap": 0}, "tile 0"),
        ((3, 40, 40), {"tile": 32, "overlap": -1}, "overlap -1"),
        ((3, 40, 40), {"tile": 32, "overlap": 8, "batch_size": 0}, "batch size 0"),
    ],
)
def test_what_cannot_be_tiled_is_refused(shape: tuple[int, ...], settings: dict[str, int], message: str):
    with pytest.raises(UserError, match=message):
        segment_image(oracle, np.zeros(shape, np.float32), **settings)


def test_a_method_that_breaks_the_contract_is_named():
    with pytest.raises(ValueError, match=r"labels of shape \(1, 3, 8, 8\), expected \(1, 8, 8\)"):
        segment_image(lambda images: images, np.zeros((3, 8, 8), np.float32), tile=8, overlap=2)
