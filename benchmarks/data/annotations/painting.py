"""Objects that may overlap become a label map, which holds one id a pixel.

A pixel that several objects claim goes to the one with the fewest pixels, of equals to the later: so what lies on a
larger object stays, whatever the order in the file.
"""

from __future__ import annotations

import numpy as np

from benchmarks.data.annotations.contract import LabelMap, Losses, Size
from benchmarks.data.annotations.polygons import Region
from benchmarks.data.decoding.limits import check_size
from benchmarks.data.sample import IGNORE
from benchmarks.errors import UserError


class Painter:
    """A label map in the making: objects get the ids 1, 2, … in the order in which they come."""

    def __init__(self, size: Size, name: str, *, ignore: bool) -> None:
        """Args: name: of the file, for errors. ignore: whether regions may be ignored, as in a truth.

        Raises: UserError: no image is so large.
        """
        if min(size) < 1:
            raise UserError(f"{name}: an image of {size[0]} x {size[1]} pixels (height x width); expected at least 1.")
        check_size(*size, name)
        self._name, self._ignore = name, ignore
        self._labels = np.zeros(size, np.int32)
        self._owner_area = np.full(size, np.iinfo(np.int32).max, np.int32)
        self._ignored = np.zeros(size, bool)
        self._areas: list[int] = []
        self._clipped = self._left_out = 0

    def add(self, region: Region) -> None:
        """Paint one object."""
        area = int(np.count_nonzero(region.mask))
        self._areas.append(area)
        self._clipped += region.clipped
        place = self._place(region)
        wins = region.mask & (area <= self._owner_area[place])
        self._labels[place][wins] = len(self._areas)
        self._owner_area[place][wins] = area

    def leave_unjudged(self, region: Region) -> None:
        """Mark a region in which nothing is known, but for objects that are painted there."""
        if self._ignore:
            self._ignored[self._place(region)] |= region.mask
        else:
            self._left_out += 1

    def finish(self) -> LabelMap:
        """Return the label map and what it does not hold.

        Raises:
            UserError: there are objects and none of them lies in the image, so they are of another one.
        """
        areas = np.array(self._areas, np.int64)
        if len(areas) and not areas.any() and self._clipped:
            raise UserError(
                f"{self._name}: none of its {len(areas)} objects lies in the image of {self._labels.shape[0]} x "
                f"{self._labels.shape[1]} pixels (height x width); they are of another image or another magnification."
            )
        held = np.bincount(self._labels.ravel(), minlength=len(areas) + 1)[1:]
        losses = Losses(
            overlapping=int(areas.sum() - held.sum()),
            covered=int(np.count_nonzero((areas > 0) & (held == 0))),
            empty=int(np.count_nonzero(areas == 0)),
            clipped=self._clipped,
            left_out=self._left_out,
        )
        self._labels[self._ignored & (self._labels == 0)] = IGNORE
        return LabelMap(self._labels, losses)

    @staticmethod
    def _place(region: Region) -> tuple[slice, slice]:
        rows, columns = region.mask.shape
        return slice(region.row, region.row + rows), slice(region.column, region.column + columns)
