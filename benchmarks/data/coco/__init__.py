"""Data sets as COCO has them: a folder of images and JSON that lists them with their annotations.

dataset   the data set
layout    which JSON is of which split
"""

from __future__ import annotations

from benchmarks.data.coco.dataset import CocoDataset

__all__ = ["CocoDataset"]
