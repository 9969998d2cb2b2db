from __future__ import annotations

import numpy as np
from filling import filled, label_maps
from hypothesis import given, settings
from scipy import ndimage

from benchmarks.exports.outlines import ObjectMask, Polygon, object_masks, outline


def outlined(rows: list[str]) -> list[Polygon]:
    return outline(ObjectMask(1, np.array([[cell == "#" for cell in row] for row in rows]), 0, 0))


@settings(max_examples=300, deadline=None)
@given(labels=label_maps())
def test_filled_outlines_are_the_object(labels: np.ndarray) -> None:
    found = {one.label: outline(one) for one in object_masks(labels)}
    assert list(found) == sorted(set(labels.ravel().tolist()) - {0})
    for label, polygons in found.items():
        rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.holes)]
        assert (filled(rings, labels.shape) == (labels == label)).all()
        assert len(polygons) == ndimage.label(labels == label)[1]
        for ring in rings:
            assert len(set(ring)) == len(ring), "a simple ring meets no corner twice"
            for (x, y), (other_x, other_y) in zip(ring, [*ring[1:], ring[0]], strict=True):
                assert (x == other_x) != (y == other_y), "sides run along pixels, and corners are turns"


def test_a_rectangle_has_four_corners_clockwise_on_the_screen() -> None:
    assert outlined(["....", ".###", ".###"]) == [Polygon([(1, 1), (4, 1), (4, 3), (1, 3)])]


def test_parts_that_touch_at_a_corner_are_polygons_of_their_own() -> None:
    assert outlined(["#.", ".#"]) == [
        Polygon([(0, 0), (1, 0), (1, 1), (0, 1)]),
        Polygon([(1, 1), (2, 1), (2, 2), (1, 2)]),
    ]


def test_a_hole_that_touches_the_outside_at_a_corner_is_a_hole() -> None:
    (polygon,) = outlined(["###", "#.#", "##."])
    assert polygon.exterior == [(0, 0), (3, 0), (3, 2), (2, 2), (2, 3), (0, 3)]
    assert polygon.holes == ([(1, 1), (1, 2), (2, 2), (2, 1)],)


def test_objects_keep_their_place_and_id() -> None:
    labels = np.zeros((40, 50), np.int64)
    labels[30:33, 20:25] = 2**31 - 1
    (one,) = object_masks(labels)
    assert (one.label, one.left, one.top, one.mask.shape) == (2**31 - 1, 20, 30, (3, 5))
    assert outline(one) == [Polygon([(20, 30), (25, 30), (25, 33), (20, 33)])]
    assert list(object_masks(np.zeros((3, 3), int))) == []
