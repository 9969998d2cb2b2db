"""Label maps that this program writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from benchmarks.files import atomic_path

_ORIGIN = "made of "


def write_labels(path: Path, labels: np.ndarray, *, origin: str | None = None) -> None:
    """Write (H, W) integer labels as a compressed TIFF, 16 bit where the ids fit, else 32 bit.

    Args:
        origin: ASCII words that say what the labels were made of, to be read by `origin_of`.
    """
    dtype = np.uint16 if labels.max(initial=0) < 2**16 else np.uint32
    described = None if origin is None else _ORIGIN + origin
    with atomic_path(path) as temporary:
        tifffile.imwrite(temporary, labels.astype(dtype), compression="zlib", description=described)


def origin_of(path: Path) -> str | None:
    """Return what a label map says that it was made of; None where there is none, it is damaged or does not say."""
    try:
        with tifffile.TiffFile(path) as file:
            description = file.pages.first.description
    except Exception:  # tifffile raises whatever the lie in the file leads to
        return None
    return description.removeprefix(_ORIGIN) if description.startswith(_ORIGIN) else None
