"""The anatomy of a job's errors, small enough to be kept where label maps are not: `errors.json`."""

from __future__ import annotations

from benchmarks.metrics.mending import ErrorCounts, pq_costs
from benchmarks.store.documents import Document
from benchmarks.store.result import Key, Result

SCHEMA = 1
"""The version of errors.json. It is raised when a definition changes; what has another version is measured anew."""

ROUNDING = 1e-9


class FateCounts(Document):
    """What became of the truths of one group."""

    matched: int = 0
    missed: int = 0
    merged: int = 0
    split: int = 0
    localisation: int = 0
    iou_sum: float = 0.0
    """Sum of the IoU of the matched."""

    @property
    def truths(self) -> int:
        return self.matched + self.missed + self.merged + self.split + self.localisation


class ImageErrors(Document):
    """The errors of one image; `benchmarks.metrics.fates` defines the terms."""

    id: str
    truths: dict[str, int]
    """How many truths are missed, merged, …; a fate without any is left out."""
    predictions: dict[str, int]
    """The same of predictions."""
    merging: int
    """Predictions that hold several truths, also those that match one of them."""
    fragmented: int
    """Truths in which several predictions lie, also those that one of them matches."""
    iou_sum: float
    """Sum of the IoU of the matches."""
    matched_at: tuple[int, ...]
    """Matches above each threshold of AP."""
    assd: float | None
    """Mean over the matches of the average symmetric surface distance, pixels; None without a match."""
    hd95: float | None
    """The same of the 95 % Hausdorff distance."""
    groups: dict[str, FateCounts]
    """Truths by size and by whether they touch another; a group without any is left out."""

    @property
    def counts(self) -> ErrorCounts:
        return ErrorCounts(self.truths, self.predictions, self.iou_sum, self.matched_at)


class JobErrors(Document):
    """A job's errors.json."""

    version: int
    key: Key
    quartiles: tuple[float, float, float] | None
    """Quartiles of the area of all true objects of the split, pixels; None where there is none."""
    images: list[ImageErrors]
    """In the order of the result."""

    def is_of(self, result: Result) -> bool:
        """Tell whether these are the errors of a result, by its images and the PQ of each."""
        if self.version != SCHEMA or self.key != result.key:
            return False
        scored = [(image.get("id"), image.get("pq")) for image in result.images]
        return [one.id for one in self.images] == [id for id, _ in scored] and all(
            isinstance(pq, int | float) and abs(1 - sum(pq_costs(one.counts).shares.values()) - pq) <= ROUNDING
            for one, (_, pq) in zip(self.images, scored, strict=True)
        )
