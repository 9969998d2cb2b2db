"""Label maps on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from benchmarks.files import atomic_path


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write (H, W) integer labels as a compressed TIFF, 16 bit where the ids fit, else 32 bit."""
    dtype = np.uint16 if labels.max(initial=0) < 2**16 else np.uint32
    with atomic_path(path) as temporary:
        tifffile.imwrite(temporary, labels.astype(dtype), compression="zlib")
