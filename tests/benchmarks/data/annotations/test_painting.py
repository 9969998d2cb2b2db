"""Objects that overlap: who has a pixel, and what is said of the others."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data.annotations.contract import Losses, losses_note
from benchmarks.data.annotations.painting import Painter
from benchmarks.data.annotations.polygons import Region, fill
from benchmarks.errors import UserError


def box(left: float, top: float, right: float, bottom: float, size: tuple[int, int] = (10, 12)) -> Region:
    return fill([[np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)]], size)


def test_the_smaller_object_has_the_pixel_whatever_the_order() -> None:
    large, small = box(0, 0, 8, 8), box(2, 2, 5, 5)
    for order in ([large, small], [small, large]):
        painter = Painter((10, 12), "x", ignore=True)
        for region in order:
            painter.add(region)
        found = painter.finish()
        inner = 1 + [id(region) for region in order].index(id(small))
        assert (found.labels == inner).sum() == 9 and (found.labels[2:5, 2:5] == inner).all()
        assert (found.labels == 3 - inner).sum() == 64 - 9
        assert found.losses == Losses(overlapping=9)


def test_of_equals_the_later_has_it_and_the_other_is_counted() -> None:
    painter = Painter((10, 12), "x", ignore=True)
    painter.add(box(1, 1, 4, 4))
    painter.add(box(1, 1, 4, 4))
    painter.add(box(5.1, 5.1, 5.2, 5.2))
    painter.add(box(8, 8, 15, 15))
    found = painter.finish()
    assert [int((found.labels == id).sum()) for id in (1, 2, 3, 4)] == [0, 9, 0, 8]
    assert found.losses == Losses(overlapping=9, covered=1, empty=1, clipped=1)
    said = found.losses.describe()
    for words in (
        "9 pixels that several",
        "1 objects that are wholly covered",
        "1 objects without",
        "1 objects that reach",
    ):
        assert words in said
    assert losses_note([("a", Losses()), ("b", found.losses), ("c", found.losses)], "here").startswith(
        "here: 18 pixels"
    )
    assert losses_note([("a", Losses())], "here") is None


def test_ignored_regions_yield_to_objects_and_a_prediction_has_none() -> None:
    for ignore in (True, False):
        painter = Painter((10, 12), "x", ignore=ignore)
        painter.leave_unjudged(box(0, 0, 6, 6))
        painter.add(box(4, 4, 8, 8))
        found = painter.finish()
        assert (found.labels == 1).sum() == 16
        assert (found.labels == -1).sum() == (32 if ignore else 0)
        assert found.losses == Losses(left_out=0 if ignore else 1)


def test_objects_of_another_image_and_impossible_sizes_are_refused() -> None:
    painter = Painter((10, 12), "cells.geojson", ignore=True)
    painter.add(box(500, 500, 520, 520))
    with pytest.raises(UserError, match=r"cells\.geojson: none of its 1 objects lies in the image of 10 x 12"):
        painter.finish()
    with pytest.raises(UserError, match="at most 134 million"):
        Painter((10**6, 10**6), "x", ignore=True)
    with pytest.raises(UserError, match="0 x 5 pixels"):
        Painter((0, 5), "x", ignore=True)
    assert not Painter((10, 12), "x", ignore=True).finish().labels.any()
