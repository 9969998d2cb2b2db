"""Decoded samples in memory, so that training does not read the disk at every step."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from benchmarks.data.sample import Sample

CACHE_BYTES = 1_500_000_000


class SampleCache:
    """The most recently used samples, up to a number of bytes; safe to share between threads."""

    def __init__(self, capacity: int = CACHE_BYTES) -> None:
        self._capacity = capacity
        self._held = 0
        self._samples: OrderedDict[str, Sample] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, id: str, read: Callable[[str], Sample]) -> Sample:
        """Return sample `id` from memory, else call `read` and keep its sample if it fits."""
        with self._lock:
            if id in self._samples:
                self._samples.move_to_end(id)
                return self._samples[id]
        sample = read(id)
        with self._lock:
            if id not in self._samples:
                self._samples[id] = sample
                self._held += _size(sample)
            while self._held > self._capacity:
                _, oldest = self._samples.popitem(last=False)
                self._held -= _size(oldest)
        return sample

    def __len__(self) -> int:
        return len(self._samples)


def _size(sample: Sample) -> int:
    image = sample.image[0] if sample.image.strides[0] == 0 else sample.image  # grey shares one channel's memory
    return image.nbytes + (0 if sample.labels is None else sample.labels.nbytes)
