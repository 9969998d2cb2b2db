"""The Mask2Former loss of `transformers`, of all predictions, for a batch that several processes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import Mask2FormerConfig
from transformers.models.mask2former.modeling_mask2former import Mask2FormerHungarianMatcher, Mask2FormerLoss

from baselines.mask2former.config import Mask2FormerLossWeights
from baselines.masks import instance_masks
from pctrans.distributed import count_per_process, counts_of_processes, mean_over_processes, rank, world_size
from pctrans.points import sample_logits
from pctrans.targets import build_targets

Prediction = dict[str, Tensor]
"""`class_queries_logits` (B, N, 2), "object" first, and `masks_queries_logits` (B, N, h, w) of the whole image."""

# The criterion's names begin like these and end in the number of the prediction.
_TERMS = {"class": "loss_cross_entropy", "mask_bce": "loss_mask", "mask_dice": "loss_dice"}


def query_losses(network: Any, predictions: list[Prediction], labels: Tensor) -> dict[str, Tensor]:
    """Compute the weighted classification, mask and Dice losses, each summed over the predictions.

    Args:
        network: whose `get_loss_dict` weighs the terms of a `SharedBatchLoss`.
        predictions: the last one last.
        labels: (B, H, W) integers, 0 background, of the images that the predictions are of.
    """
    masks = instance_masks(build_targets(labels))
    with torch.autocast(labels.device.type, enabled=False):
        *auxiliary, last = [{name: logits.float() for name, logits in p.items()} for p in predictions]
        terms = network.get_loss_dict(
            **last,
            mask_labels=masks,
            class_labels=[torch.zeros(len(m), dtype=torch.long, device=m.device) for m in masks],
            auxiliary_predictions=auxiliary,
        )
    return {
        name: torch.stack([value for key, value in terms.items() if key.startswith(prefix)]).sum()
        for name, prefix in _TERMS.items()
    }


def query_settings(weights: Mask2FormerLossWeights, num_queries: int, num_points: int) -> dict[str, Any]:
    """List what the configuration of `transformers` has to say for one class, these queries and this loss."""
    return {
        "num_labels": 1,
        "num_queries": num_queries,
        "class_weight": weights.cross_entropy,
        "mask_weight": weights.mask,
        "dice_weight": weights.dice,
        "no_object_weight": weights.no_object,
        "train_num_points": num_points,
    }


class SharedBatchLoss(Mask2FormerLoss):
    """A loss whose mean over processes is the loss of the whole batch, at the points that one process would draw.

    With one process, it is the loss of `transformers`.
    """

    def __init__(self, config: Mask2FormerConfig, weight_dict: dict[str, float]):
        super().__init__(config, weight_dict)
        theirs = self.matcher
        self.matcher = _SharedBatchMatcher(
            theirs.cost_class, theirs.cost_mask, theirs.cost_dice, num_points=theirs.num_points
        )

    def get_num_masks(self, class_labels: Any, device: torch.device) -> Tensor:
        """Count the instances of the whole batch, at least 1, and divide by the number of processes."""
        if world_size() == 1:
            return super().get_num_masks(class_labels, device)
        return count_per_process(torch.full((), sum(map(len, class_labels)), device=device))

    def loss_labels(self, class_queries_logits: Tensor, class_labels: Any, indices: Any) -> dict[str, Tensor]:
        """Compute the cross-entropy of (B, N, 2) logits, weighted and divided by the weights of the whole batch."""
        losses = super().loss_labels(class_queries_logits, class_labels, indices)
        if world_size() > 1:
            objects = sum(len(queries) for queries, _ in indices)
            others = class_queries_logits[..., 0].numel() - objects
            weights = class_queries_logits.new_full((), objects + self.eos_coef * others)
            losses = {name: loss * (weights / mean_over_processes(weights)) for name, loss in losses.items()}
        return losses

    def sample_points_using_uncertainty(
        self,
        logits: Tensor,
        uncertainty_function: Callable[[Tensor], Tensor],
        num_points: int,
        oversample_ratio: int,
        importance_sample_ratio: float,
    ) -> Tensor:
        """Draw points (M, num_points, 2) for masks (M, 1, h, w), by the rule of `transformers`."""
        if world_size() == 1:
            return super().sample_points_using_uncertainty(
                logits, uncertainty_function, num_points, oversample_ratio, importance_sample_ratio
            )
        device = logits.device
        counts = counts_of_processes(len(logits), device)
        own = slice(sum(counts[: rank()]), sum(counts[: rank() + 1]))
        important, drawn = int(importance_sample_ratio * num_points), int(num_points * oversample_ratio)
        candidates = torch.rand(sum(counts), drawn, 2, device=device)[own]
        uniform = torch.rand(sum(counts), num_points - important, 2, device=device)[own]
        chosen = uncertainty_function(sample_logits(logits, candidates))[:, 0].topk(important, dim=1).indices
        return torch.cat((candidates.gather(1, chosen[..., None].expand(-1, -1, 2)), uniform), dim=1)


class _SharedBatchMatcher(Mask2FormerHungarianMatcher):
    """The matcher of `transformers`, which draws points image by image; those of other processes are skipped."""

    def forward(
        self, masks_queries_logits: Tensor, class_queries_logits: Tensor, mask_labels: Any, class_labels: Any
    ) -> Any:
        images, device = len(masks_queries_logits), masks_queries_logits.device
        self._leave(rank() * images, device)
        indices = super().forward(masks_queries_logits, class_queries_logits, mask_labels, class_labels)
        self._leave((world_size() - 1 - rank()) * images, device)
        return indices

    def _leave(self, images: int, device: torch.device) -> None:
        for _ in range(images):
            torch.rand(1, self.num_points, 2, device=device)
