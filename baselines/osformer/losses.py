"""The location, mask and edge losses of OSFormer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.osformer.config import OSFormerConfig
from baselines.osformer.head import DynamicInstanceNormalisation
from baselines.osformer.targets import cell_instances, downsampled_edges, instance_edges
from pctrans.deformable import Shapes
from pctrans.distributed import count_per_process
from pctrans.images import pad_to_multiple
from pctrans.losses import semantic_loss as focal_loss
from pctrans.targets import Targets, build_targets

MASK_STRIDE = 4


@dataclass(frozen=True)
class OSFormerTargets:
    """The targets of a batch of label maps.

    Attributes:
        instances: the instances themselves, on the padded image.
        cells: (B, Q), id of each cell's instance, 0 for none.
        edges: (B, H / s, W / s) in {0, 1} for s = 16, 8, 4.
    """

    instances: Targets
    cells: Tensor
    edges: list[Tensor]


def build_osformer_targets(labels: Tensor, edge_shapes: Shapes, config: OSFormerConfig) -> OSFormerTargets:
    """Build the targets of label maps (B, H, W) of any size. Edges are found before padding, which is not an edge."""
    height, width = labels.shape[-2:]
    instances = build_targets(pad_to_multiple(labels))
    edges = pad_to_multiple(instance_edges(instances.labels[:, :height, :width]))
    return OSFormerTargets(instances, cell_instances(instances, config), downsampled_edges(edges, edge_shapes))


def location_loss(objectness: Tensor, cells: Tensor) -> Tensor:
    """Sum the focal loss (α 0.25, γ 2) of all cells (B, Q), and divide by the number of positive ones, at least 1."""
    return focal_loss(objectness, cells > 0)


def mask_loss(
    kernels: Tensor, features: Tensor, targets: OSFormerTargets, head: DynamicInstanceNormalisation
) -> Tensor:
    """Average the Dice loss of the positive cells' masks against the shares of the 1/4 cells that are the instance's.

    The release scales masks by bilinear interpolation, which does not move them either.

    Args:
        kernels: (B, Q, C).
        features: (B, C, H / 4, W / 4).
    """
    shares = targets.instances.coverage(MASK_STRIDE)
    losses = []
    for image, cells in enumerate(targets.cells):
        positive = cells > 0
        truth = shares[image, cells[positive] - 1].flatten(1).to(features.dtype)
        logits = head(kernels[image, positive], features[image]).flatten(1)
        losses.append(squared_dice_loss(logits, truth))
    return torch.cat(losses).sum() / count_per_process((targets.cells > 0).sum())


def edge_loss(edge_logits: list[Tensor], targets: OSFormerTargets) -> Tensor:
    """Compute the Dice loss of the edge maps, averaged over the images and summed over the levels."""
    levels = zip(edge_logits, targets.edges, strict=True)
    return torch.stack([squared_dice_loss(x.flatten(1), t.flatten(1)).mean() for x, t in levels]).sum()


def squared_dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Compute V-Net's 1 - (2 Σ p t + 1) / (Σ p² + Σ t² + 1) over the last dimension, p the soft mask."""
    soft = logits.sigmoid()
    return 1 - (2 * (soft * truth).sum(-1) + 1) / ((soft * soft).sum(-1) + (truth * truth).sum(-1) + 1)
