"""Data sets as they were published: their addresses, the sums of their files, and how they are fetched."""

from __future__ import annotations

from benchmarks.data.official.catalogue import OfficialSet, official_set
from benchmarks.data.official.comparison import compare
from benchmarks.data.official.failure import FetchError
from benchmarks.data.official.fetching import Listener, at_hand, fetch

__all__ = [
    "FetchError",
    "Listener",
    "OfficialSet",
    "at_hand",
    "compare",
    "fetch",
    "official_set",
]
