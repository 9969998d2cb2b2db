"""Label maps of an image under many thresholds, with the network run over its tiles once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.contract import Tunable
from benchmarks.plan.settings import TestingSettings
from benchmarks.run.prediction import segment_sample


@dataclass(frozen=True)
class ImageEvidence:
    """What a network says of an image: one entry for each tile and, with flips, each view of it, as they are asked for.

    Attributes:
        tensors: of the method's `evidence`, each (entries, ...), on the CPU.
        size: (H, W) of the image, in pixels.
    """

    tensors: tuple[Tensor, ...]
    size: tuple[int, int]


def record_evidence(
    segmenter: Tunable, image: np.ndarray, tile: int, testing: TestingSettings, device: str, precision: str
) -> ImageEvidence:
    """Run the network over an image (3, H, W) in [0, 1], tile by tile, as a job tests."""
    batches: list[tuple[Tensor, ...]] = []

    def keep(images: Tensor) -> Tensor:
        batches.append(tuple(tensor.cpu() for tensor in segmenter.evidence(images)))
        return torch.zeros(len(images), *images.shape[-2:], dtype=torch.long, device=images.device)

    segment_sample(_Function(keep), image, tile, testing, device, precision)
    tensors = tuple(torch.cat(parts) for parts in zip(*batches, strict=True))
    return ImageEvidence(tensors, (image.shape[-2], image.shape[-1]))


def on_host(segmenter: Tunable) -> Tunable:
    """The segmenter, or a copy of it, on the CPU: deciding is many small steps, slow on an accelerator."""
    if isinstance(segmenter, nn.Module) and any(p.device.type != "cpu" for p in segmenter.parameters()):
        return copy.deepcopy(segmenter).cpu()
    return segmenter


def segment_evidence(
    segmenter: Tunable, evidence: ImageEvidence, inference: Any, tile: int, testing: TestingSettings
) -> np.ndarray:
    """The label map (H, W) int32 that `segment_sample` makes under the thresholds of `inference`.

    Args:
        segmenter: on the CPU, see `on_host`.
        tile, testing: as evidence was recorded.
    """
    used = 0

    def replay(images: Tensor) -> Tensor:
        nonlocal used
        part = slice(used, used + len(images))
        used = part.stop
        tensors = tuple(tensor[part] for tensor in evidence.tensors)
        return segmenter.decide(tensors, (images.shape[-2], images.shape[-1]), inference)

    nothing = np.broadcast_to(np.float32(0), (3, *evidence.size))  # the network has seen the pixels
    return segment_sample(_Function(replay), nothing, tile, testing, "cpu", "float32")


class _Function:
    """A segmenter that is only a function from tiles to label maps."""

    def __init__(self, segment: Callable[[Tensor], Tensor]):
        self.segment = segment

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        raise NotImplementedError("a function from tiles to label maps is not trained")
