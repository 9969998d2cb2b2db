"""PCTrans as a library: `PCTrans(PCTransConfig())`, `losses(images, labels)`, `segment(images)`.

Where each equation of the paper is:

eq. 1   matching and mask loss   matcher.matching_cost, losses.mask_loss
eq. 2   centres                  decoder.QueryDecoder.forward
eq. 3   point loss               losses.point_loss
eq. 4   position guidance        decoder.QueryDecoder._guide, attention.PositionGuidedCrossAttention
eq. 5   dynamic mask head        mask_head.DynamicMaskHead
eq. 6   QEC                      contrast.contrastive_loss of contrast.cosine_similarity
eq. 7   MCC                      contrast.contrastive_loss of contrast.soft_dice_similarity
eq. 8   the whole objective      criterion.weighted_losses
3.4     cluster, then average    inference.cluster_then_average
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pctrans.config import PCTransConfig

if TYPE_CHECKING:
    from pctrans.model import PCTrans

__all__ = ["PCTrans", "PCTransConfig"]


def __getattr__(name: str) -> Any:
    # The model pulls in torch and transformers (seconds); reading a configuration must not.
    if name == "PCTrans":
        from pctrans.model import PCTrans

        return PCTrans
    raise AttributeError(f"module 'pctrans' has no attribute '{name}'")
