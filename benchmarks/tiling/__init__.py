"""Segmentation of images larger than a model's crop: tiles, test-time flips and stitching."""

from __future__ import annotations

from benchmarks.tiling.segment import segment_image
from benchmarks.tiling.whole import never_whole

__all__ = ["never_whole", "segment_image"]
