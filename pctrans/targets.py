"""What a label map asks of the queries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TABLE = 2**16
"""Ids up to this are looked up in a table; larger ones are ranked first."""


@dataclass(frozen=True)
class Targets:
    """Instances of a batch, padded to the largest count K.

    Attributes:
        labels: (B, H, W), 0 background, ids 1..K_b without gaps.
        counts: K_b of each image.
        centres: (B, K, 2), centre of mass (x, y) in [0, 1]; zero where padded.
        valid: (B, K), False where padded.
    """

    labels: Tensor
    counts: list[int]
    centres: Tensor
    valid: Tensor

    @property
    def num_instances(self) -> int:
        return sum(self.counts)

    def downsampled(self, stride: int) -> Tensor:
        """The labels at the centres of cells of `stride` pixels, (B, H / stride, W / stride)."""
        return self.labels[:, stride // 2 :: stride, stride // 2 :: stride]


def build_targets(labels: Tensor) -> Targets:
    """Number the instances of (B, H, W) label maps without gaps and find their centres of mass."""
    dense, counts = _without_gaps(labels)
    most = max(counts)
    batch, height, width = dense.shape
    # One bin for each label of each image, background included.
    bins = (dense + torch.arange(batch, device=dense.device)[:, None, None] * (most + 1)).flatten()
    y = ((torch.arange(height, device=dense.device) + 0.5) / height)[None, :, None].expand_as(dense)
    x = ((torch.arange(width, device=dense.device) + 0.5) / width)[None, None, :].expand_as(dense)
    values = torch.stack((x.flatten(), y.flatten(), torch.ones_like(x).flatten()), dim=1)
    sums = values.new_zeros(batch * (most + 1), 3).index_add_(0, bins, values)
    sums = sums.view(batch, most + 1, 3)[:, 1:]
    area = sums[..., 2:]
    return Targets(dense, counts, sums[..., :2] / area.clamp(min=1), area[..., 0] > 0)


def _without_gaps(labels: Tensor) -> tuple[Tensor, list[int]]:
    """The labels (B, H, W) numbered 1..K_b in the order of their ids, and the K_b."""
    highest = int(labels.max())
    if highest > TABLE:
        labels = torch.unique(labels, return_inverse=True)[1] + (labels.min() > 0)
        highest = int(labels.max())
    flat = labels.flatten(1)
    present = flat.new_zeros(len(flat), highest + 1).scatter_(1, flat, 1)
    present[:, 0] = 0
    number = present.cumsum(1)
    dense = (number * present).gather(1, flat)
    return dense.view_as(labels), number[:, -1].tolist()
