"""What a reader of label maps is given and what it returns, whoever wrote them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields

import numpy as np

from benchmarks.errors import UserError

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class Losses:
    """What a label map cannot hold of the objects of a file, as counts.

    Attributes:
        overlapping: pixels that several objects claimed, once for each object that did not get one.
        covered: objects that lost all of their pixels to smaller ones.
        empty: objects that hold no pixel's centre inside the image.
        clipped: objects that reach beyond the image and were cut at its border.
        left_out: regions to be ignored, which a truth has as -1 and a prediction cannot have.
    """

    overlapping: int = 0
    covered: int = 0
    empty: int = 0
    clipped: int = 0
    left_out: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, count.name) for count in fields(self))

    def __add__(self, other: Losses) -> Losses:
        return Losses(*(getattr(self, count.name) + getattr(other, count.name) for count in fields(self)))

    def describe(self) -> str:
        """Say it in words; empty where nothing is lost."""
        words = {
            "overlapping": "{} pixels that several objects claim (the smaller object has them)",
            "covered": "{} objects that are wholly covered by smaller ones and are gone",
            "empty": "{} objects without the centre of any pixel of the image, which are gone",
            "clipped": "{} objects that reach beyond the image and are cut at its border",
            "left_out": "{} regions to be ignored, which a prediction cannot have and which are left out",
        }
        return "; ".join(text.format(count) for name, text in words.items() if (count := getattr(self, name)))


NOTHING_LOST = Losses()


@dataclass(frozen=True)
class LabelMap:
    """What a reader returns.

    Attributes:
        labels: (H, W) int32, 0 background, ids above it, `IGNORE` where nothing is known.
        losses: what the file says and a label map cannot.
        orientation: the file's orientation tag, 1 where there is none; the labels are upright already.
    """

    labels: np.ndarray
    losses: Losses = NOTHING_LOST
    orientation: int = 1

    @property
    def size(self) -> Size:
        return self.labels.shape[0], self.labels.shape[1]


Reader = Callable[[bytes, str, Size | None, bool], LabelMap]
"""Content, what to call it in errors, the image's size where known, whether regions may be ignored (a truth's may)."""


@dataclass(frozen=True)
class LabelRecord:
    """The labels of one image, wherever they lie.

    Attributes:
        name: what to call them in errors.
        content: read the bytes that decide on the labels, from which they are decoded and digested.
        reader: of their format.
        needs_size: whether they do not say how large the image is.
    """

    name: str
    content: Callable[[], bytes]
    reader: Reader
    needs_size: bool = False

    def decode(self, content: bytes, size: Size | None = None, *, ignore: bool = False) -> LabelMap:
        """Decode what `content` returned.

        Args:
            size: the image's, which outlines need; None where it is not known.
            ignore: whether -1 may stand where nothing is known, as in a truth.

        Raises:
            UserError: the content is not what its format asks for, or outlines have no size.
        """
        return self.reader(content, self.name, size, ignore)

    def read(self, size: Size | None = None, *, ignore: bool = False) -> LabelMap:
        """Read and decode the labels; see `decode`."""
        return self.decode(self.content(), size, ignore=ignore)


@dataclass(frozen=True)
class LabelSet:
    """The labels of many images.

    Attributes:
        label: where they lie, for errors.
        records: the labels of each image, by stem.
        notes: what a user may want to know of how files were chosen.
        unread: files beside them that nothing reads.
    """

    label: str
    records: dict[str, LabelRecord]
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def losses_note(losses: Iterable[tuple[str, Losses]], subject: str) -> str | None:
    """Say in one sentence what label maps cannot hold; None where they hold everything.

    Args:
        losses: what was lost, by file.
        subject: how the sentence begins, such as the folder.
    """
    lossy = [(name, lost) for name, lost in losses if lost]
    if not lossy:
        return None
    total = sum((lost for _, lost in lossy), Losses())
    return f"{subject}: {total.describe()}; in {len(lossy)} images (the first: {lossy[0][0]})"


def known_size(size: Size | None, name: str) -> Size:
    """Return the size that outlines are painted on.

    Raises:
        UserError: nothing says it.
    """
    if size is None:
        raise UserError(
            f"{name}: outlines do not say how large their image is, and neither does what they are compared with. "
            "Give label maps (PNG, TIFF, NPY) or COCO JSON on one of the two sides."
        )
    return size
