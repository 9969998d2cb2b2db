"""COCO's run lengths: of background and object in turn, down the columns, as numbers or packed into text."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.data.annotations.contract import Size
from benchmarks.data.annotations.json_text import describe
from benchmarks.data.annotations.polygons import Region
from benchmarks.errors import UserError

# Five bits a character; more would not fit the 64 bits of a count.
_MOST_CHARACTERS = 12


def read_rle(segmentation: dict[str, Any], size: Size, name: str) -> Region:
    """Read a mask `{"size": [height, width], "counts": …}`.

    Raises:
        UserError: it is of another size than the image, or its runs do not add up to it.
    """
    if segmentation.get("size") != [*size]:
        raise UserError(
            f"{name}: a mask of size {describe(segmentation.get('size'))}, its image has {[*size]} (height, width)."
        )
    counts = segmentation.get("counts")
    if isinstance(counts, str):
        runs = _unpack(counts, name)
    elif isinstance(counts, list) and all(type(run) is int for run in counts):
        runs = counts
    else:
        raise UserError(f"{name}: run lengths that are {describe(counts)}; expected whole numbers or COCO's text.")
    lowest, pixels = min(runs, default=0), size[0] * size[1]
    if lowest < 0 or sum(runs) != pixels:
        raise UserError(
            f"{name}: run lengths from {lowest} on that add up to {sum(runs)}; expected none below 0 and {size[0]} × "
            f"{size[1]} = {pixels} pixels. The file is damaged: export it again."
        )
    mask = np.repeat(np.arange(len(runs)) % 2 == 1, np.array(runs, np.int64)).reshape(size[::-1]).T
    return _cropped(mask)


def _unpack(text: str, name: str) -> list[int]:
    """Unpack COCO's text: groups of five bits, the lowest first; from the fourth on differences to the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift >= 5 * _MOST_CHARACTERS:
            raise UserError(f"{name}: run lengths with the text {text[:20]!r}…, which is not COCO's; export it again.")
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise UserError(f"{name}: run lengths whose text ends within a number; the file was cut short.")
    return runs


def _cropped(mask: np.ndarray) -> Region:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Region(0, 0, np.zeros((0, 0), bool))
    return Region(int(rows[0]), int(columns[0]), mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
