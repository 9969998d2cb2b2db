"""Segmentation of images larger than a model's crop: tiles, test-time flips and stitching."""

from __future__ import annotations

from benchmarks.tiling.scores import mean_by_object
from benchmarks.tiling.segment import segment_image, segment_image_with_scores
from benchmarks.tiling.whole import never_whole

__all__ = ["mean_by_object", "never_whole", "segment_image", "segment_image_with_scores"]
