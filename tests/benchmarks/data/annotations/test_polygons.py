"""Outlines become pixels as other libraries have it, and back again without a change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as MatplotlibPath
from outlines import blobs, pixel_rings
from skimage.draw import polygon2mask

from benchmarks.data.annotations import polygons
from benchmarks.data.annotations.polygons import Part, fill, ring
from benchmarks.errors import UserError

SIZE = (30, 40)


def whole(parts: list[Part], size: tuple[int, int] = SIZE) -> np.ndarray:
    region, mask = fill(parts, size), np.zeros(size, bool)
    rows, columns = region.mask.shape
    mask[region.row : region.row + rows, region.column : region.column + columns] = region.mask
    return mask


def centres(size: tuple[int, int] = SIZE) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)


def literal(rings: list[np.ndarray], size: tuple[int, int] = SIZE) -> np.ndarray:
    """A ray to the left of each centre, edge by edge."""
    inside = np.zeros(size, bool)
    for r in range(size[0]):
        for c in range(size[1]):
            for corners in rings:
                for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                    if (y0 <= r + 0.5) != (y1 <= r + 0.5):
                        (xa, ya), (xb, yb) = ((x0, y0), (x1, y1)) if y0 < y1 else ((x1, y1), (x0, y0))
                        if xa + (r + 0.5 - ya) / (yb - ya) * (xb - xa) <= c + 0.5:
                            inside[r, c] ^= True
    return inside


def star(seed: int, corners: int = 9) -> np.ndarray:
    """An outline without crossings, in general position."""
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, corners))
    radii = random.uniform(4, 13, corners)
    return np.stack([20.1 + radii * np.cos(angles), 15.3 + radii * np.sin(angles)], axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_other_libraries_find_the_same_pixels(seed: int) -> None:
    corners = star(seed)
    found = whole([[corners]])
    assert found.any()
    np.testing.assert_array_equal(found, MatplotlibPath(corners).contains_points(centres()).reshape(SIZE))
    # scikit-image has centres of pixels at whole numbers, and takes row before column.
    np.testing.assert_array_equal(found, polygon2mask(SIZE, corners[:, ::-1] - 0.5))


@pytest.mark.parametrize("seed", range(5))
def test_self_crossing_outlines_are_filled_by_the_even_odd_rule(seed: int) -> None:
    rings = [np.random.default_rng(seed).uniform(-8, 45, (7, 2)) for _ in range(2)]
    np.testing.assert_array_equal(whole([rings]), literal(rings))
    pentagram = np.array([(20 + 12 * np.sin(a), 15 - 12 * np.cos(a)) for a in np.arange(5) * 4 * np.pi / 5])
    assert not whole([[pentagram]])[15, 20] and whole([[pentagram]])[5, 20]


def test_parts_are_united_and_holes_are_not_filled() -> None:
    square, hole = np.array([(2, 3), (12, 3), (12, 13), (2, 13)]), np.array([(4, 5), (6, 5), (6, 7), (4, 7)])
    expected = np.zeros(SIZE, bool)
    expected[3:13, 2:12] = True
    np.testing.assert_array_equal(whole([[square]]), expected)
    np.testing.assert_array_equal(whole([[square], [hole + 20], [square]])[:14, :14], expected[:14, :14])
    expected[5:7, 4:6] = False
    np.testing.assert_array_equal(whole([[square, hole]]), expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 14), st.integers(-3, 12)), min_size=1, max_size=9), st.integers(1, 4))
def test_any_outline_is_filled_as_the_literal_rule_says(corners: list[tuple[int, int]], scale: int) -> None:
    """Corners at halves of pixels lie on centres, where rules differ most."""
    outline = np.array(corners, float) / scale
    np.testing.assert_array_equal(whole([[outline]], (9, 11)), literal([outline], (9, 11)))


@pytest.mark.parametrize("seed", range(4))
def test_polygons_that_share_edges_share_no_pixel_and_leave_none(seed: int) -> None:
    random = np.random.default_rng(seed)
    middle = random.integers(2, 28, 2) + random.choice([0.0, 0.5, 0.3])
    frame = np.array([(0, 0), (SIZE[1], 0), (SIZE[1], SIZE[0]), (0, SIZE[0])], float)
    triangles = [np.array([frame[i], frame[(i + 1) % 4], middle]) for i in range(4)]
    np.testing.assert_array_equal(sum(whole([[triangle]]).astype(int) for triangle in triangles), 1)


@pytest.mark.parametrize("seed", range(4))
def test_exact_outlines_become_the_same_label_map_again(seed: int) -> None:
    labels = blobs(seed)
    again = np.zeros_like(labels)
    for id in np.unique(labels[labels > 0]):
        again[whole([pixel_rings(labels == id)], labels.shape)] = id
    np.testing.assert_array_equal(again, labels)


def test_what_lies_outside_is_cut_and_said() -> None:
    beyond = np.array([(-1e6, -5), (10, -5), (10, 1e6), (-1e6, 1e6)])
    assert fill([[beyond]], SIZE).clipped
    expected = np.zeros(SIZE, bool)
    expected[:, :10] = True
    np.testing.assert_array_equal(whole([[beyond]]), expected)
    for place in (-50, 50):
        outside = fill([[np.array([(place, 2), (place + 3, 2), (place, 9)], float)]], SIZE)
        assert not outside.mask.any() and outside.clipped
    touching = np.array([(0, 0), (SIZE[1], 0), (SIZE[1], SIZE[0]), (0, SIZE[0])], float)
    assert not fill([[touching]], SIZE).clipped


def test_outlines_without_area_hold_nothing() -> None:
    for points in ([], [(3, 3)], [(3, 3), (9, 9)], [(3.1, 3.1), (3.2, 3.1), (3.2, 3.2)]):
        assert not whole([[ring(points, "x")]]).any()
    assert not fill([], SIZE).mask.size


def test_a_million_points_and_long_edges_are_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    angles = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    circle = np.stack([20 + 9.7 * np.cos(angles), 15 + 9.7 * np.sin(angles)], axis=1)
    expected = (np.hypot(*(centres() - (20, 15)).T) < 9.7).reshape(SIZE)
    np.testing.assert_array_equal(whole([[circle]]), expected)
    zigzag = np.array([(i % 37 + 0.25, -5 if i % 2 else 40) for i in range(400)], float)
    at_once = whole([[zigzag]])
    monkeypatch.setattr(polygons, "_AT_A_TIME", 100)
    np.testing.assert_array_equal(whole([[zigzag]]), at_once)
    np.testing.assert_array_equal(at_once[:3], literal([zigzag])[:3])


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([(0, float("nan")), (1, 1), (2, 0)], "coordinate nan"),
        ([(0, 1e300), (1, 1), (2, 0)], r"coordinate 1e\+300"),
        ([(0, float("inf")), (1, 1), (2, 0)], "coordinate inf"),
        ([(0, 10**400), (1, 1)], "not a list of number pairs"),
        ([(0, 1), (1,)], "not a list of number pairs"),
        ([("a", "b")], "not a list of number pairs"),
        ([1, 2, 3], "shape"),
        ([[[0, 1]], [[1, 1]]], "shape"),
    ],
)
def test_corners_that_are_none_are_refused(points: list, said: str) -> None:
    with pytest.raises(UserError, match=f"cell 7: .*{said}"):
        ring(points, "cell 7")
