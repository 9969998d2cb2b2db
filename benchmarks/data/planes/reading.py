"""Any image file that a user has: its digest, the plane that was chosen, and how large a pixel is."""

from __future__ import annotations

import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.data.decoding.limits import MAX_FILE_BYTES
from benchmarks.data.decoding.tiff import TIFF_MAGICS
from benchmarks.data.normalisation import grey_if_equal
from benchmarks.data.planes.choice import PlaneChoice, Stack, scene_index, take
from benchmarks.data.planes.microscope import (
    MICROSCOPE_SUFFIXES,
    is_microscope_file,
    microscope_digest,
    microscope_pixel_size,
    read_microscope_plane,
)
from benchmarks.data.planes.pixel_size import PixelSize
from benchmarks.data.planes.tiff import read_tiff_plane, tiff_pixel_size
from benchmarks.data.reading import decode_image, read_bytes, stem_of
from benchmarks.errors import UserError


@dataclass(frozen=True)
class ImageFile:
    """An image file that was opened once, so that digest and pixels are of the same content.

    Attributes:
        digest: SHA-256 (hex) of its content; of a folder, of all files in it with their names.
        content: its bytes, mapped where they are many; None where another package reads the file.
    """

    path: Path
    digest: str
    content: bytes | mmap.mmap | None

    def read(self, choice: PlaneChoice) -> np.ndarray:
        """Read the plane that was chosen.

        Returns:
            (H, W) or (H, W, 3), as a viewer shows it, in the file's own type.

        Raises:
            UserError: something is to be chosen and was not, or is not there; or the file cannot be read.
        """
        name = str(self.path)
        if self.content is None:
            return grey_if_equal(read_microscope_plane(self.path, choice))
        if self.content[:4] in TIFF_MAGICS:
            if (plane := read_tiff_plane(self.content, choice, name)) is not None:
                return grey_if_equal(plane)
        elif choice.scene is not None:
            scene_index(choice.scene, ("",), name)
        if not isinstance(self.content, bytes):
            # One image of this size is refused, with the words that jobs have for it.
            read_bytes(self.path)
        return take(Stack(name, {}, lambda _: decode_image(bytes(self.content or b""), name)), choice)

    def pixel_size(self, choice: PlaneChoice) -> PixelSize | None:
        """Read how large a pixel is; None where the file does not say."""
        if self.content is None:
            return microscope_pixel_size(self.path, choice)
        if self.content[:4] in TIFF_MAGICS:
            return tiff_pixel_size(self.content, choice, str(self.path))
        return None


def open_image(path: Path) -> ImageFile:
    """Open an image file.

    Raises:
        UserError: it cannot be read.
    """
    if is_microscope_file(path):
        return ImageFile(path, microscope_digest(path), None)
    content = _mapped(path) or read_bytes(path)
    return ImageFile(path, hashlib.sha256(content).hexdigest(), content)


def image_stem(name: str) -> str:
    """Return the name of an image's results: that of its file without a suffix that is read."""
    base = stem_of(name)
    suffix = Path(base).suffix
    return base[: -len(suffix)] if suffix.lower() in MICROSCOPE_SUFFIXES else base


def _mapped(path: Path) -> mmap.mmap | None:
    """Map a TIFF that is too large to be read whole; it may be a stack. None for any other file."""
    try:
        if path.stat().st_size <= MAX_FILE_BYTES:
            return None
        with path.open("rb") as file:
            if file.read(4) not in TIFF_MAGICS:
                return None
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from error
