"""Datasets: open one by its spec and load checked samples, or read single image files in the same way."""

from __future__ import annotations

from benchmarks.data.base import SPLITS, Dataset
from benchmarks.data.checking import DatasetReport, check_dataset
from benchmarks.data.opening import open_dataset
from benchmarks.data.reading import read_image, read_labels

__all__ = ["SPLITS", "Dataset", "DatasetReport", "check_dataset", "open_dataset", "read_image", "read_labels"]
