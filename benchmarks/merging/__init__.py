"""Results folders of several machines become one: `merge_folders` checks everything before it writes anything."""

from benchmarks.merging.merging import Merged, merge_folders

__all__ = ["Merged", "merge_folders"]
