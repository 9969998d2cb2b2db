"""Look at data before anything is trained on it.

dataset  read all of a data set once: counts, sizes, instances, and what is wrong with it
copies   the same picture under several names
"""

from __future__ import annotations

from benchmarks.data.checking.dataset import DatasetReport, check_dataset, leaks, shared_pictures

__all__ = ["DatasetReport", "check_dataset", "leaks", "shared_pictures"]
