"""Segmentation of images larger than a model's crop: tiles, test-time flips and stitching."""

from __future__ import annotations

from benchmarks.tiling.segment import segment_image

__all__ = ["segment_image"]
