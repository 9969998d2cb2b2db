"""Which anchors and regions the losses are computed on, drawn so that several processes can share a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from pctrans.distributed import rand_for_slice

_SEEDS = 2**31


class SliceSampler:
    """Draws positives and negatives of each image, as torchvision's `BalancedPositiveNegativeSampler` does.

    Each image has a generator of its own, seeded from torch's global one: how much one image draws, which depends on
    what it holds, then says nothing of what the next ones draw, and another process need not know it.

    Attributes:
        drawn: how many were drawn in the last call, over all images.
        positives: how many of them were positives.
    """

    def __init__(self, samples: int, positive_share: float):
        self.samples = samples
        self.most_positives = int(samples * positive_share)
        self.drawn = self.positives = 0

    def __call__(self, labels: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Draw from labels (N_b,) of each image: 1 and more is positive, 0 negative, -1 is never drawn.

        Returns:
            Masks (N_b,) of the positives and of the negatives drawn, for each image.
        """
        self.drawn = self.positives = 0
        chosen: tuple[list[Tensor], list[Tensor]] = ([], [])
        for of_image, uniform in zip(labels, rand_for_slice(len(labels), device=torch.device("cpu")), strict=True):
            generator = torch.Generator().manual_seed(int(uniform * _SEEDS))
            positive = _some(of_image >= 1, self.most_positives, generator)
            count = int(positive.sum())
            negative = _some(of_image == 0, self.samples - count, generator)
            self.positives += count
            self.drawn += count + int(negative.sum())
            chosen[0].append(positive)
            chosen[1].append(negative)
        return chosen


def _some(candidates: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Choose at most so many of the candidates (N,), all alike; the mask (N,) of those chosen."""
    places = candidates.nonzero()[:, 0]
    order = torch.randperm(len(places), generator=generator)[:most].to(places.device)
    return torch.zeros_like(candidates).index_fill_(0, places[order], True)
