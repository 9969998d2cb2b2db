"""Ids that lie in several pieces: connected components (8 neighbours) of equal id, each of which may be an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from skimage.measure import label

from benchmarks.data.sample import IGNORE

# Any plane map needs four colours at most; programs use a few more. Leaves that others cover seldom fall into three.
_MOST_COLOURS = 12
_PIECES_PER_COLOUR = 3
_NAMED = 5


def split_components(labels: np.ndarray) -> np.ndarray:
    """Give every connected component an id of its own.

    Args:
        labels: (H, W) integers, 0 background, perhaps `IGNORE`.

    Returns:
        (H, W) int32, ids 1..K, `IGNORE` where it was.
    """
    found = label(np.maximum(labels, 0), background=0, connectivity=2).astype(np.int32)
    found[labels == IGNORE] = IGNORE
    return found


@dataclass(frozen=True)
class Pieces:
    """How the ids of a label map lie.

    Attributes:
        ids: number of ids.
        pieces: number of their connected components; the same where every id is one piece.
    """

    ids: int
    pieces: int

    @property
    def is_mask(self) -> bool:
        """Whether there is one id over several objects."""
        return self.ids == 1 and self.pieces > 1

    @property
    def is_colouring(self) -> bool:
        """Whether a few ids, as many as keep neighbours apart, lie over far more objects."""
        return 1 < self.ids <= _MOST_COLOURS and self.pieces >= _PIECES_PER_COLOUR * self.ids

    def describe(self) -> str:
        """Say it in words, such as "1 id in 54 pieces, a foreground mask"."""
        words = f"{self.ids} id{'' if self.ids == 1 else 's'} in {self.pieces} pieces"
        if self.is_mask:
            return f"{words}, a foreground mask"
        return f"{words}, colours in place of ids" if self.is_colouring else words


def count_pieces(labels: np.ndarray) -> Pieces:
    """Count the ids of a label map (H, W), and their pieces."""
    objects = np.maximum(labels, 0)
    components = label(objects, background=0, connectivity=2)
    return Pieces(int(np.count_nonzero(np.unique(objects))), int(components.max(initial=0)))


def pieces_note(found: Mapping[str, Pieces]) -> str | None:
    """Say in one sentence which label maps hold ids in several pieces; None where none does.

    Args:
        found: the pieces of each label map, by the name that it is to be called.
    """
    broken = {name: pieces for name, pieces in found.items() if pieces.pieces > pieces.ids}
    if not broken:
        return None
    most = sorted(broken, key=lambda name: broken[name].pieces - broken[name].ids, reverse=True)
    named = "; ".join(f"{name} ({broken[name].describe()})" for name in most[:_NAMED])
    more = f"; and {len(most) - _NAMED} more" if len(most) > _NAMED else ""
    return f"{len(broken)} label maps hold ids in several pieces, each id counted as one object: {named}{more}"
