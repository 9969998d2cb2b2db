"""Warns of crops with more instances than the method can find."""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

from benchmarks.training.batches import Batch

logger = logging.getLogger("pctrans_bench")


class CapacityCheck:
    """Looks at every batch; each image is named once.

    Args:
        model: a `Segmenter`; its `max_instances` is the limit, none where it has no such attribute.
    """

    def __init__(self, model: nn.Module):
        self.limit: int | None = getattr(model, "max_instances", None)
        self.method = type(model).__name__
        self._named: set[str] = set()

    def __call__(self, batch: Batch) -> None:
        """Warn of the images of a batch that were not named yet."""
        if self.limit is None:
            return
        for id, labels in zip(batch.ids, batch.labels, strict=True):
            if id not in self._named and (count := _instances(labels, self.limit)) > self.limit:
                self._named.add(id)
                logger.warning(
                    "a training crop of image %s has %d instances, but %s finds at most %d: the others are not "
                    "learned. Set more queries (--set model.num_queries=… or the like) or a smaller crop.",
                    id, count, self.method, self.limit,
                )  # fmt: skip


def _instances(labels: Tensor, limit: int) -> int:
    """Instances of a label map; 0 where the largest id shows, much faster, that there are at most `limit`."""
    if labels.amax() <= limit:
        return 0
    ids = torch.unique(labels)
    return int((ids != 0).sum())
