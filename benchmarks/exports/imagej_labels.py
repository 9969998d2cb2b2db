"""Label maps as ImageJ and Fiji open them: shown from 0 to the highest id, with the size of a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from benchmarks.data.planes.pixel_size import PixelSize
from benchmarks.files import atomic_path


def write_imagej_labels(path: Path, labels: np.ndarray, size: PixelSize | None) -> None:
    """Write (H, W) labels 0..K as ImageJ's TIFF: 16 bit, or 32 bit floats where the ids do not fit.

    Args:
        size: of a pixel; None writes none.
    """
    highest = int(labels.max(initial=0))
    shown = {"axes": "YX", "min": 0.0, "max": float(max(1, highest))}
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            # ImageJ has no whole numbers of 32 bits; floats keep them apart up to 2^24.
            labels.astype(np.uint16 if highest < 2**16 else np.float32),
            imagej=True,
            resolution=None if size is None else (1 / size.x, 1 / size.y),
            metadata=shown if size is None else {**shown, "unit": "um"},
        )
