"""The masks of the instances of a batch, for losses that compare masks one by one."""

from __future__ import annotations

import torch
from torch import Tensor

from pctrans.targets import Targets


def instance_masks(targets: Targets) -> list[Tensor]:
    """Split label maps into the masks of each image's instances, (K_b, H, W) float, in the order of the ids."""
    return [
        (dense == torch.arange(1, count + 1, device=dense.device)[:, None, None]).float()
        for dense, count in zip(targets.labels, targets.counts, strict=True)
    ]
