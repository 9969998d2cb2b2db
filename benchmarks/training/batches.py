"""Training batches as a pure function of the seed and the iteration.

Nothing about the data has to be stored in a checkpoint: iteration 1000 of a resumed run draws exactly the
crops that it would have drawn undisturbed, whoever loads them and in which order.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmarks.augmentation import AugmentationConfig, augment
from benchmarks.data import Dataset
from benchmarks.plan.job import Job

if TYPE_CHECKING:
    from benchmarks.plan.settings import TrainingSettings


def derived_seed(*parts: int | str) -> int:
    """A 63-bit seed for one purpose, from the job's seed and what tells this purpose apart."""
    text = "/".join(str(part) for part in parts).encode()
    return zlib.crc32(text) << 31 ^ zlib.crc32(text[::-1] + b"#")


@dataclass(frozen=True)
class Batch:
    """Crops of one optimiser step.

    Attributes:
        ids: the image each crop was cut from.
        images: (B, 3, crop, crop) float32 in [0, 1].
        labels: (B, crop, crop) int64.
    """

    ids: tuple[str, ...]
    images: Tensor
    labels: Tensor


def slots_of_process(settings: TrainingSettings, rank: int, world_size: int) -> list[int]:
    """The places in every batch whose crops one of several processes takes: its slice of each micro-batch."""
    size = settings.micro_batch_size or settings.batch_size
    slice_size = size // world_size
    first = rank * slice_size
    return [part + slot for part in range(0, settings.batch_size, size) for slot in range(first, first + slice_size)]


class BatchSource:
    """The batches of a job's training split: shuffled passes over the images, one augmented crop of each.

    Args:
        batch_size: crops an optimiser step, over all processes.
        slots: places in the batch, from 0, whose crops are made here; None: all.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        crop: int,
        augmentation: AugmentationConfig,
        seed: int,
        slots: Sequence[int] | None = None,
    ):
        self.dataset, self.batch_size, self.crop = dataset, batch_size, crop
        self.augmentation, self.seed = augmentation, seed
        self.slots = range(batch_size) if slots is None else slots
        self.ids = dataset.ids("train")

    @classmethod
    def of_job(
        cls, job: Job, dataset: Dataset, batch_size: int | None = None, slots: Sequence[int] | None = None
    ) -> BatchSource:
        """The batches that a job trains on; of another size if one is given, only some places if they are."""
        return cls(
            dataset,
            batch_size=batch_size or job.training.batch_size,
            crop=job.training.crop,
            augmentation=AugmentationConfig(**job.augmentation),
            seed=job.seed,
            slots=slots,
        )

    def epoch(self, iteration: int) -> float:
        """Passes over the training images before this iteration."""
        return iteration * self.batch_size / len(self.ids)

    def batch(self, iteration: int) -> Batch:
        """The batch of an iteration, 0-based."""
        samples = [self._crop(iteration * self.batch_size + slot) for slot in self.slots]
        ids, images, labels = zip(*samples, strict=True)
        return Batch(ids, torch.stack(images), torch.stack(labels))

    def from_iteration(self, start: int, stop: int, workers: int) -> Iterator[Batch]:
        """Batches start..stop-1, loaded ahead by `workers` threads; 0 loads them when asked."""
        if not workers:
            yield from map(self.batch, range(start, stop))
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
            iterations = iter(range(start, stop))
            pending: list[Future[Batch]] = [pool.submit(self.batch, i) for i in islice(iterations, 2 * workers)]
            try:
                while pending:
                    batch = pending.pop(0).result()
                    pending += [pool.submit(self.batch, i) for i in islice(iterations, 1)]
                    yield batch
            finally:
                for future in pending:
                    future.cancel()

    def _crop(self, position: int) -> tuple[str, Tensor, Tensor]:
        epoch, index = divmod(position, len(self.ids))
        id = self.ids[_permutation(len(self.ids), derived_seed(self.seed, "epoch", epoch))[index]]
        sample = self.dataset.load(id)
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "crop", position))
        # Cached samples are read-only; a copy of the image costs less than a warning for each.
        image, labels = torch.from_numpy(sample.image.copy()), torch.from_numpy(sample.objects.copy())
        cropped, ids = augment(image, labels, crop=self.crop, config=self.augmentation, generator=generator)
        return id, cropped, ids


def _permutation(length: int, seed: int) -> list[int]:
    return torch.randperm(length, generator=torch.Generator().manual_seed(seed)).tolist()
