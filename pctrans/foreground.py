"""Objects where the semantic branch sees no foreground: an addition to the paper's inference, off unless asked for.

Nothing teaches the masks of queries that have no instance, and there is no class score: where a crop is empty, queries
find objects in noise. The semantic branch is taught on every cell.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pctrans.criterion import EMBEDDING_STRIDE
from pctrans.images import keep_objects


@torch.no_grad()
def drop_unsupported(labels: Tensor, semantic_logits: Tensor, threshold: float) -> Tensor:
    """Drop the objects of a map whose mean probability of foreground is below `threshold`; number the rest 1..K.

    Args:
        labels: (H, W) integers, 0 background, ids 1..K.
        semantic_logits: (h, w) cells of `EMBEDDING_STRIDE` pixels that cover the map; enlarged as logits.
        threshold: in (0, 1).
    """
    enlarged = F.interpolate(
        semantic_logits[None, None].float(), scale_factor=EMBEDDING_STRIDE, mode="bilinear", align_corners=False
    )
    foreground = enlarged[0, 0, : labels.shape[0], : labels.shape[1]].sigmoid().flatten().double()
    objects = labels.flatten()
    means = torch.bincount(objects, foreground) / torch.bincount(objects).clamp(min=1)
    return keep_objects(labels, means >= threshold)
