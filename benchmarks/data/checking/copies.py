"""Find the same picture under several names: exact copies, and those of another size, bit depth or compression.

A candidate is a pair whose thumbnails correlate. It is a copy if its fine structure correlates, too: two blank fields
share the shading of their microscope, but not their noise. Pictures that were cropped, turned or mirrored are not
found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.transform import resize

_THUMBNAIL = 32  # pixels a side
_FINE = 128  # pixels a side, at most: 32 kB an image
_SMOOTHING = 3.0  # pixels of the fine picture: what is coarser tells nothing that the thumbnail has not told
_ALIKE = 0.95
_FINE_ALIKE = 0.6
# Thumbnails are compared with so many at once: a matrix of 1024 x 10 000 correlations is 40 MB.
_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Picture:
    """What is kept of an image to compare it with others.

    Attributes:
        name: what to call it: data set, split and id.
        group: pictures are compared with those of other groups only, and with those of their own where `within`.
        digest: SHA-256 (hex) of the normalised image; equal in exact copies, and in those whose values were scaled.
        thumbnail: (32²,) float32, of zero mean and length 1; None for an image without contrast, which equals nothing.
        fine: (h, w) float16 in [0, 1], sides of at most 128.
        structure: (h·w,) float16, what is finer in it than the thumbnail, of length 1; None where there is nothing.
    """

    name: str
    group: str
    digest: str
    thumbnail: np.ndarray | None
    fine: np.ndarray
    structure: np.ndarray | None


@dataclass(frozen=True)
class Copy:
    """Two pictures that are the same.

    Attributes:
        exact: whether every pixel is equal after normalisation.
        likeness: the correlation of the thumbnails; 1 where exact.
    """

    first: Picture
    second: Picture
    exact: bool
    likeness: float

    def describe(self) -> str:
        """Say which pictures they are, and how alike."""
        how = "the same pixels" if self.exact else f"a changed copy, correlation {self.likeness:.3f}"
        return f"{self.first.name} = {self.second.name} ({how})"


def picture_of(image: np.ndarray, name: str, group: str) -> Picture:
    """Keep of an image (3, H, W) in [0, 1] what `find_copies` compares."""
    grey = image[0] if image.strides[0] == 0 else image.mean(axis=0)
    digest = hashlib.sha256(repr(grey.shape).encode() + np.ascontiguousarray(grey).tobytes()).hexdigest()
    grey = _without_extremes(grey)
    height, width = (min(side, _FINE) for side in grey.shape)
    fine = resize(grey, (height, width), order=1, anti_aliasing=True)
    small = resize(grey, (_THUMBNAIL, _THUMBNAIL), order=1, anti_aliasing=True)
    return Picture(name, group, digest, _standard(small), fine.astype(np.float16), _structure(fine))


def find_copies(pictures: Sequence[Picture], *, within: bool = False) -> list[Copy]:
    """Find the pairs of pictures that are the same, in the order of their names.

    Args:
        within: whether pictures of one group are compared as well.
    """
    varied = [picture for picture in pictures if picture.thumbnail is not None]
    found = []
    for first, second, likeness in _candidates(varied):
        if first.group == second.group and not within:
            continue
        exact = first.digest == second.digest
        if exact or _fine_likeness(first, second) > _FINE_ALIKE:
            found.append(Copy(first, second, exact, 1.0 if exact else likeness))
    return sorted(found, key=lambda copy: (copy.first.name, copy.second.name))


def _without_extremes(grey: np.ndarray) -> np.ndarray:
    """Stretch what is not extreme to [0, 1]: a hot pixel would be all that a thumbnail shows."""
    low, high = np.percentile(grey, (0.1, 99.9))
    return grey if high <= low else ((grey - low) / (high - low)).clip(0, 1).astype(np.float32)


def _candidates(pictures: Sequence[Picture]) -> Iterator[tuple[Picture, Picture, float]]:
    thumbnails = np.array([picture.thumbnail for picture in pictures], np.float32).reshape(-1, _THUMBNAIL**2)
    for start in range(0, len(pictures), _CHUNK):
        likeness = thumbnails[start : start + _CHUNK] @ thumbnails.T
        for row, column in np.argwhere(likeness > _ALIKE):
            if start + row < column:
                yield pictures[start + row], pictures[column], float(likeness[row, column])


def _fine_likeness(first: Picture, second: Picture) -> float:
    """Correlate what is finer than the thumbnails, at the smaller of the two sizes."""
    shape = tuple(map(min, first.fine.shape, second.fine.shape))
    # Many frames of one film are compared with each other, and are of one size: their structure is at hand.
    one, other = (
        picture.structure if picture.fine.shape == shape else _structure(resize(picture.fine.astype(np.float32), shape))
        for picture in (first, second)
    )
    return (
        float(np.dot(one.astype(np.float32), other.astype(np.float32)))
        if one is not None and other is not None
        else 0.0
    )


def _structure(image: np.ndarray) -> np.ndarray | None:
    structure = _standard(image - gaussian_filter(image, _SMOOTHING))
    return None if structure is None else structure.astype(np.float16)


def _standard(image: np.ndarray) -> np.ndarray | None:
    """Flatten an image to zero mean and length 1; None without contrast."""
    centred = image.astype(np.float32).ravel()
    centred = centred - centred.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-6 * centred.size**0.5 else None
