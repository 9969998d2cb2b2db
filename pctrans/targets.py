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
        """The label of one pixel of each cell of `stride` pixels, (B, H / stride, W / stride).

        It is the pixel below and to the right of the cell's centre. What learns it and is then enlarged by
        interpolation lies half a pixel off, up and to the left: it has to learn a mean over the cell, such as
        `coverage`.
        """
        return self.labels[:, stride // 2 :: stride, stride // 2 :: stride]

    def majority(self, stride: int) -> Tensor:
        """The instance with most pixels of each cell of `stride` pixels, (B, H / stride, W / stride); 0 if it has none.

        Of equals, the one whose pixel comes first.
        """
        batch, height, width = self.labels.shape
        cells = self.labels.view(batch, height // stride, stride, width // stride, stride)
        pixels = cells.transpose(2, 3).flatten(3)
        votes = (pixels[..., :, None] == pixels[..., None, :]).sum(-1) * (pixels > 0)
        return pixels.gather(3, votes.argmax(-1, keepdim=True))[..., 0] * (votes.amax(-1) > 0)

    def coverage(self, stride: int) -> Tensor:
        """The share of each cell of `stride` pixels that is an instance's, (B, K, H / stride, W / stride) in [0, 1]."""
        batch, height, width = self.labels.shape
        rows, columns = height // stride, width // stride
        row, column = (torch.arange(side, device=self.labels.device) // stride for side in (height, width))
        layers = max(self.counts) + 1
        layer = self.labels + layers * torch.arange(batch, device=self.labels.device)[:, None, None]
        bins = (layer * rows + row[:, None]) * columns + column
        counts = torch.bincount(bins.flatten(), minlength=batch * layers * rows * columns)
        return counts.view(batch, layers, rows, columns)[:, 1:] / stride**2


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
