"""Datasets: from a spec to checked samples, and single image files read the same way."""

from __future__ import annotations

from benchmarks.data.base import SPLITS, Dataset
from benchmarks.data.check import DatasetReport, check_dataset
from benchmarks.data.opening import open_dataset
from benchmarks.data.reading import read_image, read_labels

__all__ = ["SPLITS", "Dataset", "DatasetReport", "check_dataset", "open_dataset", "read_image", "read_labels"]
