"""Exact outlines of the objects of a label map: polygons along the borders of pixels.

Corners are at whole numbers, x to the right and y downwards, with (0, 0) at the upper left corner of the first pixel. A
pixel belongs to an object where its centre lies inside, so that whoever fills the polygons gets the object's pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from benchmarks.metrics import relabel

_Point = tuple[int, int]
Ring = list[_Point]
"""Corners (x, y) of a simple closed line; the first is not repeated."""


@dataclass(frozen=True)
class Polygon:
    """One piece of an object, connected along sides of pixels.

    Attributes:
        exterior: clockwise as seen on the screen, which is counterclockwise where y points up.
        holes: the other way round. They may touch each other and the exterior at corners.
    """

    exterior: Ring
    holes: tuple[Ring, ...] = ()


@dataclass(frozen=True)
class ObjectMask:
    """An object's pixels within its bounding box.

    Attributes:
        label: its id.
        mask: (h, w) bool, the pixels of the bounding box.
        left, top: of the box, in pixels of the label map.
    """

    label: int
    mask: np.ndarray
    left: int
    top: int


def object_masks(labels: np.ndarray) -> Iterator[ObjectMask]:
    """Yield the objects of (H, W) integer labels, 0 background, ascending by id; ids may have gaps and any size."""
    dense, ids, _ = relabel(labels)
    for index, box in enumerate(ndimage.find_objects(dense), start=1):
        yield ObjectMask(int(ids[index - 1]), dense[box] == index, box[1].start, box[0].start)


def outline(one: ObjectMask) -> list[Polygon]:
    """Return the polygons of an object, in the order of their first pixels, row by row.

    Parts that touch at a corner only are polygons of their own, and every ring is simple, as OGC's Simple Features ask.
    """
    pieces, _ = ndimage.label(one.mask)
    polygons = []
    for index, box in enumerate(ndimage.find_objects(pieces), start=1):
        rings = _rings(pieces[box] == index, one.left + box[1].start, one.top + box[0].start)
        (exterior,) = [ring for ring in rings if _doubled_area(ring) > 0]
        polygons.append(Polygon(exterior, tuple(ring for ring in rings if ring is not exterior)))
    return polygons


def _rings(mask: np.ndarray, left: int, top: int) -> list[Ring]:
    """Follow the sides between a connected mask and what is around it, the mask to the right of the way."""
    ways = _sides(mask)
    rings = []
    for start in sorted(ways, key=lambda point: (point[1], point[0])):
        while ways[start]:
            rings += _walk(ways, start)
    return [_corners([(x + left, y + top) for x, y in ring]) for ring in rings]


def _sides(mask: np.ndarray) -> dict[_Point, list[_Point]]:
    """Map each corner of pixels to the corners that sides lead to: one, or two where pixels meet diagonally."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    ways: dict[_Point, list[_Point]] = {}
    for around, begin, end in (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    ):
        for y, x in np.argwhere(inside & ~around).tolist():
            ways.setdefault((x + begin[0], y + begin[1]), []).append((x + end[0], y + end[1]))
    return ways


def _walk(ways: dict[_Point, list[_Point]], start: _Point) -> list[Ring]:
    """Use up the sides of a closed way; where it meets itself, the loop is a ring of its own."""
    rings: list[Ring] = []
    path, place = [start], {start: 0}
    while True:
        here = ways[path[-1]].pop()
        if here not in place:
            place[here] = len(path)
            path.append(here)
            continue
        loop = path[place[here] :]
        rings.append(loop)
        for point in loop[1:]:
            del place[point]
        del path[place[here] + 1 :]
        if len(path) == 1:
            return rings


def _corners(ring: Ring) -> Ring:
    """Leave out the points on straight lines, and begin at the uppermost corner, of several the leftmost."""
    turns = [
        point
        for before, point, after in zip([ring[-1], *ring], ring, [*ring[1:], ring[0]], strict=False)
        if (before[0] == point[0]) != (point[0] == after[0])
    ]
    first = turns.index(min(turns, key=lambda point: (point[1], point[0])))
    return turns[first:] + turns[:first]


def _doubled_area(ring: Ring) -> int:
    """Twice the area inside, above 0 where the ring goes clockwise on the screen."""
    following = [*ring[1:], ring[0]]
    return sum(x * other_y - other_x * y for (x, y), (other_x, other_y) in zip(ring, following, strict=True))
