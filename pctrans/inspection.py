"""What a method of queries sees, for figures: nothing here is computed in training or testing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

MASK_STRIDE = 4
DECODER_STRIDES = (32, 16, 8)
"""Strides of the levels that decoder layers 1, 2, 3, 4, … read in turn."""


@dataclass(frozen=True)
class Inspection:
    """The last prediction for images (B, 3, H, W), in float32; maps are cut to the images, sizes rounded up.

    Attributes:
        mask_logits: (B, N, H / 4, W / 4), of every query.
        queries: (B, N, D) after the last layer; None where the method does not give them.
        pixel_embedding: (B, D, H / s, W / s), what masks are made from.
        embedding_stride: s, in pixels.
        attention: weights of the last cross-attention (B, N, H / t, W / t), the mean over the heads; a query's sum
            to 1 over the padded image. None where a query attends to sampled points only.
        attention_stride: t, in pixels; None without weights.
    """

    mask_logits: Tensor
    queries: Tensor | None
    pixel_embedding: Tensor
    embedding_stride: int
    attention: Tensor | None
    attention_stride: int | None

    def of_image(self, index: int) -> Inspection:
        """One image's part, without the dimension of the batch, on the CPU."""
        return Inspection(
            mask_logits=self.mask_logits[index].cpu(),
            queries=None if self.queries is None else self.queries[index].cpu(),
            pixel_embedding=self.pixel_embedding[index].cpu(),
            embedding_stride=self.embedding_stride,
            attention=None if self.attention is None else self.attention[index].cpu(),
            attention_stride=self.attention_stride,
        )


@dataclass
class Call:
    """What a module was last called with, and what it gave."""

    inputs: tuple[Any, ...] = ()
    output: Any = None


@contextmanager
def last_call(module: nn.Module) -> Iterator[Call]:
    """Keep the last call of `module` inside the block; positional arguments only."""
    call = Call()

    def keep(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        call.inputs, call.output = inputs, output

    handle = module.register_forward_hook(keep)
    try:
        yield call
    finally:
        handle.remove()


def cut(maps: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """Maps (..., h, w) of a padded image without the cells that lie beyond its `size` in pixels."""
    height, width = (-(-side // stride) for side in size)
    return maps[..., :height, :width]
