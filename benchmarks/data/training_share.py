"""A part of a data set's training images: the options `train-share=1/8` and `draw=0` of any spec.

The parts of one draw are nested: images are ordered by a digest of their id and the draw, and a share takes the first
of them, rounded up. The other splits stay whole, so that all parts are tested on the same images, and the fingerprint,
and with it the key of a job, is that of the images that are left: the share 1 is the data set itself.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from benchmarks.errors import UserError

SHARE, DRAW = "train-share", "draw"
_LARGEST_DRAW = 9999


@dataclass(frozen=True)
class TrainingShare:
    """How much of the training images is used, and which of many equal choices.

    Attributes:
        share: above 0, at most 1.
        draw: from 0; draws of the same share hold other images.
    """

    share: Fraction = Fraction(1)
    draw: int = 0

    @classmethod
    def take_from(cls, options: dict[str, str], spec: str) -> TrainingShare:
        """Take the two options out of those of a spec.

        Raises:
            UserError: they cannot be read.
        """
        share = parse_share(options.pop(SHARE, "1"), spec)
        draw = options.pop(DRAW, "0")
        if not (draw.isascii() and draw.isdigit() and int(draw) <= _LARGEST_DRAW):
            raise UserError(f"{spec}: {DRAW} is {draw!r}; expected a whole number from 0 to {_LARGEST_DRAW}.")
        return cls(share, int(draw))

    @property
    def whole(self) -> bool:
        return self.share == 1

    def of(self, ids: Sequence[str]) -> list[str]:
        """The ids of this part, in the order given."""
        ordered = sorted(ids, key=lambda id: hashlib.sha256(f"{self.draw}/{id}".encode()).hexdigest())
        kept = set(ordered[: math.ceil(self.share * len(ids))])
        return [id for id in ids if id in kept]

    def describe(self) -> str:
        """How a name goes on to tell this part from the whole; empty for the whole."""
        if self.whole:
            return ""
        return f", {self.share} of its training images" + (f" (draw {self.draw})" if self.draw else "")

    def option(self) -> str:
        """The options as a spec has them; empty for the whole."""
        return "" if self.whole else f"{SHARE}={self.share}&{DRAW}={self.draw}"


def parse_share(text: str, where: str) -> Fraction:
    """Read a share such as 1/8, 0.5 or 1.

    Args:
        where: what to name in errors.

    Raises:
        UserError: it is none, or not above 0 and at most 1.
    """
    share = Fraction(0)
    if re.fullmatch(r"\d{1,4}(/\d{1,4}|\.\d{1,6})?", text, re.ASCII) and not re.search(r"/0+$", text):
        share = Fraction(text)
    if not 0 < share <= 1:
        raise UserError(f"{where}: {SHARE} is {text!r}; expected a share above 0, at most 1, such as 1/8 or 0.5.")
    return share
