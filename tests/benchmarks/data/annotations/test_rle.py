"""COCO's run lengths against its own library, pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from outlines import blobs, pixel_rings
from pycocotools import mask as official

from benchmarks.data.annotations.polygons import Region, fill
from benchmarks.data.annotations.rle import read_rle
from benchmarks.errors import UserError


def whole(region: Region, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    rows, columns = region.mask.shape
    mask[region.row : region.row + rows, region.column : region.column + columns] = region.mask
    return mask


def masks() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    labels = blobs(1, (300, 420))
    return [
        *(labels == id for id in np.unique(labels)),
        random.random((31, 17)) < 0.5,
        np.zeros((5, 4), bool),
        np.ones((5, 4), bool),
        random.random((1, 9)) < 0.5,
        random.random((9, 1)) < 0.5,
    ]


@pytest.mark.parametrize("mask", masks())
def test_both_forms_are_what_the_official_library_encodes(mask: np.ndarray) -> None:
    encoded = official.encode(np.asfortranarray(mask.astype(np.uint8)))
    packed = {"size": encoded["size"], "counts": encoded["counts"].decode()}
    np.testing.assert_array_equal(whole(read_rle(packed, mask.shape, "x"), mask.shape), mask)
    column, runs, value = mask.T.ravel(), [], False
    while len(column):
        run = int(np.argmax(column != value)) if (column != value).any() else len(column)
        runs.append(run)
        column, value = column[run:], not value
    counted = {"size": [*mask.shape], "counts": runs}
    np.testing.assert_array_equal(whole(read_rle(counted, mask.shape, "x"), mask.shape), mask)


@pytest.mark.parametrize("seed", range(4))
def test_polygons_with_corners_on_corners_of_pixels_are_filled_as_there(seed: int) -> None:
    labels = blobs(seed)
    for id in np.unique(labels[labels > 0]):
        for corners in pixel_rings(labels == id):
            runs = official.frPyObjects([corners.ravel().tolist()], *labels.shape)
            np.testing.assert_array_equal(
                whole(fill([[corners]], labels.shape), labels.shape), official.decode(runs)[..., 0]
            )


@pytest.mark.parametrize("seed", range(4))
def test_other_polygons_differ_along_the_outline_alone(seed: int) -> None:
    """The official library rounds outlines to fifths of a pixel."""
    random, size = np.random.default_rng(seed), (40, 50)
    angles = np.sort(random.uniform(0, 2 * np.pi, 12))
    corners = np.stack([25 + 14 * np.cos(angles), 20 + 14 * np.sin(angles)], axis=1)
    theirs = official.decode(official.frPyObjects([corners.ravel().tolist()], *size))[..., 0].astype(bool)
    rows, columns = np.nonzero(theirs ^ whole(fill([[corners]], size), size))
    for centre in np.stack([columns + 0.5, rows + 0.5], axis=1):
        ends = np.roll(corners, -1, axis=0) - corners
        along = np.clip(((centre - corners) * ends).sum(axis=1) / (ends**2).sum(axis=1), 0, 1)
        assert np.hypot(*(corners + along[:, None] * ends - centre).T).min() < 0.3


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ({"size": [4, 5], "counts": [3, 4]}, "add up to 7; expected none below 0 and 4 × 5 = 20"),
        ({"size": [4, 5], "counts": [-5, 25]}, "from -5 on"),
        ({"size": [4, 5], "counts": [10**30]}, "add up to 1000"),
        ({"size": [4, 5], "counts": [20.0]}, "expected whole numbers or COCO's text"),
        ({"size": [4, 5], "counts": None}, "expected whole numbers or COCO's text"),
        ({"size": [4, 5], "counts": "\u00e9"}, "not COCO's"),
        ({"size": [4, 5], "counts": "o" * 50}, "not COCO's"),
        ({"size": [4, 5], "counts": "o"}, "ends within a number"),
        ({"size": [4, 5], "counts": ""}, "add up to 0"),
        ({"size": [10**9, 10**9], "counts": [10**18]}, "a mask of size"),
        ({}, "a mask of size None"),
    ],
)
def test_what_is_no_mask_is_refused(segmentation: dict, said: str) -> None:
    with pytest.raises(UserError, match=f"cell 7: .*{said}"):
        read_rle(segmentation, (4, 5), "cell 7")
