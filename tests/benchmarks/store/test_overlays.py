from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from skimage.measure import label

from benchmarks.store.overlays import PALETTE, colour_labels, overlay, stretch


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(4, 40), share=st.floats(0.1, 0.9))
def test_touching_objects_never_share_a_colour(seed: int, size: int, share: float) -> None:
    """Few large blobs or a mosaic: as long as nobody has more neighbours than there are colours."""
    rng = np.random.default_rng(seed)
    seeds = np.argwhere(rng.random((size, size)) < 12 / size**2)
    rows, columns = np.indices((size, size))
    assume(0 < len(seeds) <= len(PALETTE))
    distances = (rows[..., None] - seeds[:, 0]) ** 2 + (columns[..., None] - seeds[:, 1]) ** 2
    labels = (distances.argmin(axis=2) + 1) * (distances.min(axis=2) < share * size**2)
    colours = colour_labels(labels)
    for one, other, first, second in (
        (labels[1:], labels[:-1], colours[1:], colours[:-1]),
        (labels[:, 1:], labels[:, :-1], colours[:, 1:], colours[:, :-1]),
    ):
        touching = (one != other) & (one > 0) & (other > 0)
        assert (first[touching] != second[touching]).any(axis=-1).all()


def test_one_colour_an_object_and_black_elsewhere() -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[1:3, 1:3], labels[1:3, 6:8], labels[6:8, 4:7] = 7, 2**30, 300
    colours = colour_labels(labels)
    assert (colours[labels == 0] == 0).all()
    seen = [np.unique(colours[labels == id], axis=0) for id in (7, 300, 2**30)]
    assert [len(colour) for colour in seen] == [1, 1, 1]
    assert all((colour == PALETTE).all(axis=1).any() for colour in seen)
    assert len(np.unique(np.concatenate(seen), axis=0)) == 3


def test_a_grid_of_many_objects_uses_the_whole_palette_and_separates_equals() -> None:
    labels = np.kron(np.arange(1, 401).reshape(20, 20), np.ones((6, 6), int))
    colours = colour_labels(labels)
    used, counts = np.unique(colours.reshape(-1, 3), axis=0, return_counts=True)
    assert len(used) == len(PALETTE)
    for colour in used:
        _, number = label((colours == colour).all(axis=2), return_num=True, connectivity=1)
        assert number * 36 == counts[(used == colour).all(axis=1)][0]


def test_a_long_neighbour_counts_although_its_centre_is_far() -> None:
    """The bar touches the last object; all other colours are borne nearer to it than the bar's centre."""
    labels = np.zeros((20, 200), int)
    labels[0] = 1
    for index in range(len(PALETTE) - 1):
        column = 2 * index + 5 * (min(index, 9) // 2)  # touching others, so that they choose before the last
        labels[10:12, column : column + 2] = index + 2
    labels[1:3, :2] = 100
    colours = colour_labels(labels)
    assert len(np.unique(colours[labels > 0], axis=0)) == len(PALETTE)
    assert (colours[1, 0] != colours[0, 0]).any()


@pytest.mark.parametrize("labels", [np.zeros((4, 5), int), np.full((4, 5), 3), np.zeros((1, 1), np.uint16)])
def test_nothing_and_nothing_else_are_coloured(labels: np.ndarray) -> None:
    colours = colour_labels(labels)
    assert colours.shape == (*labels.shape, 3)
    assert colours.any(axis=2).all() == labels.all()


def test_overlay_fills_outlines_and_leaves_the_rest() -> None:
    image = np.linspace(0, 1, 3 * 12 * 12, dtype=np.float32).reshape(3, 12, 12)
    labels = np.zeros((12, 12), np.int32)
    labels[3:9, 3:9] = 4
    for array in (image, labels):
        array.setflags(write=False)
    plain = overlay(image, np.zeros_like(labels))
    result = overlay(image, labels)
    colour = colour_labels(labels)[5, 5]
    assert result.dtype == np.uint8
    assert result.shape == (12, 12, 3)
    assert (result[labels == 0] == plain[labels == 0]).all()
    assert (result[3, 3:9] == colour).all()
    expected = 0.75 * plain[5, 5].astype(float) + 0.25 * colour
    assert np.abs(result[5, 5] - expected).max() <= 0.5


def test_pale_objects_on_a_bright_background_have_dark_outlines() -> None:
    labels = np.zeros((12, 24), np.int32)
    labels[3:9, 3:9], labels[3:9, 9:15] = 1, 70_000
    colours = colour_labels(labels)
    for background in (1.0, 0.0):
        picture = np.full((3, 12, 24), background, np.float32)
        picture[:, 3:9, 3:9], picture[:, 3:9, 9:15] = 0, 0.9
        result = overlay(picture, labels)
        share = 0.5 if background else 1
        assert (result[3, 3:9] == colours[3, 3]).all()
        assert np.abs(result[3, 9:15] - share * colours[3, 9]).max() <= 0.5
        assert (result[5, 8] != result[5, 9]).any(), "neighbours stay apart"


def test_faint_objects_of_a_dark_image_are_lifted_and_bright_images_stay() -> None:
    rng = np.random.default_rng(0)
    dark = rng.random((3, 50, 50)).astype(np.float32) * np.float32(0.02)
    dark[:, :10, :10] = 1
    dark[:, 20:30, 20:30] += 0.08
    empty = np.zeros((50, 50), int)
    lifted, before = overlay(dark, empty), stretch(dark)
    assert lifted[20:30, 20:30].mean() > 2 * before[20:30, 20:30].mean()
    assert lifted[20:30, 20:30].mean() > 2 * lifted[35:, 35:].mean(), "and still told from the background"
    bright = rng.random((3, 50, 50)).astype(np.float32)
    assert (overlay(bright, empty) == stretch(bright)).all()
    assert (overlay(np.zeros((3, 4, 4), np.float32), empty[:4, :4]) == 0).all()


def test_a_constant_image_is_no_error() -> None:
    assert overlay(np.full((3, 4, 4), 0.5, np.float32), np.zeros((4, 4), int)).shape == (4, 4, 3)
