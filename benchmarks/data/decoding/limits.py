"""Limits on the memory that a file may claim, checked from headers before any is allocated."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.errors import UserError

# Images of 8192 x 8192 and more must open; beyond this limit a header lies, or the image would not fit in memory.
MAX_PIXELS = 2**27
# An image of MAX_PIXELS with four channels of 16 bits.
MAX_BYTES = 2**30
# The same, stored without compression, with room for headers and metadata.
MAX_FILE_BYTES = MAX_BYTES + 2**24
# A list of some 300 000 names.
MAX_LIST_BYTES = 2**24

DAMAGED = "it is damaged or was cut short; copy or export it again"


def check_size(height: int, width: int, name: str) -> None:
    """Refuse an image of more than `MAX_PIXELS`.

    Raises:
        UserError: the image is too large.
    """
    if height * width > MAX_PIXELS:
        raise UserError(
            f"{name}: its header says {height} x {width} pixels; at most {MAX_PIXELS / 1e6:.0f} million "
            "are read. Cut it into smaller images."
        )


def check_bytes(shape: Sequence[int], itemsize: int, name: str) -> None:
    """Refuse an array of more than `MAX_BYTES`, over all of its axes.

    Args:
        shape: the axes that the header names.
        itemsize: bytes of one value.

    Raises:
        UserError: the array is too large.
    """
    # math.prod, as a product in 64 bits can overflow to something small.
    size = math.prod(int(axis) for axis in shape) * itemsize
    if size > MAX_BYTES:
        axes = " x ".join(map(str, shape))
        raise UserError(
            f"{name}: its header says {axes} values of {8 * itemsize} bits, {size / 2**30:.1f} GiB; "
            f"at most {MAX_BYTES / 2**30:.0f} GiB is read. Cut it into smaller images or save it with fewer bits."
        )
