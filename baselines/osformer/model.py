"""OSFormer: location-sensing transformer, coarse-to-fine fusion, dynamic instance normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.osformer.config import OSFormerConfig, OSFormerInference
from baselines.osformer.encoder import Encoder
from baselines.osformer.fusion import CoarseToFineFusion
from baselines.osformer.head import DynamicInstanceNormalisation
from baselines.osformer.inference import instance_map
from baselines.osformer.losses import MASK_STRIDE, build_osformer_targets, edge_loss, location_loss, mask_loss
from baselines.osformer.queries import LocationDecoder
from baselines.segmenter import TrainedSegmenter
from pctrans.backbone import Backbone
from pctrans.images import pad_to_multiple
from pctrans.inspection import Inspection, cut


@dataclass(frozen=True)
class OSFormerOutput:
    """The network's output for the losses and the inference.

    Attributes:
        objectness: logits of the cells (B, Q), grid by grid, row by row.
        kernels: (B, Q, mask channels).
        mask_features: (B, mask channels, H / 4, W / 4).
        edge_logits: (B, H / s, W / s) for s = 16, 8, 4.
    """

    objectness: Tensor
    kernels: Tensor
    mask_features: Tensor
    edge_logits: list[Tensor]


class OSFormer(TrainedSegmenter[OSFormerConfig]):
    """Backbone, location-sensing encoder and decoder, coarse-to-fine fusion, and a mask for each promising cell.

    The grids of queries divide an image of any size: objects keep the size in cells that they had in training only if
    images are segmented in tiles as large as the training crops.
    """

    def __init__(self, config: OSFormerConfig):
        super().__init__(config)
        self.backbone = Backbone(config.backbone)
        self.encoder = Encoder(self.backbone.channels, config)
        self.decoder = LocationDecoder(config)
        self.fusion = CoarseToFineFusion(config)
        self.head = DynamicInstanceNormalisation(config.mask_channels)

    @property
    def max_instances(self) -> int:
        return self.config.inference.max_instances

    def forward(self, images: Tensor) -> OSFormerOutput:
        """Predict from images (B, 3, H, W) float in [0, 1], H and W multiples of 32."""
        detail, memory = self.encoder(self.backbone(self.normalise(images)))
        objectness, kernels = self.decoder(memory)
        mask_features, edge_logits = self.fusion([*reversed(memory.maps), detail])
        return OSFormerOutput(objectness, kernels, mask_features, edge_logits)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted terms by name; training minimises their sum.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        output = self(pad_to_multiple(images))
        edge_logits = [edges.float() for edges in output.edge_logits]
        targets = build_osformer_targets(labels, [(e.shape[-2], e.shape[-1]) for e in edge_logits], self.config)
        weights = self.config.loss_weights
        # Sums of thousands of terms need float32, whatever the network ran in.
        with torch.autocast(images.device.type, enabled=False):
            masks = mask_loss(output.kernels.float(), output.mask_features.float(), targets, self.head)
            return {
                "location": weights.location * location_loss(output.objectness.float(), targets.cells),
                "mask_dice": weights.mask_dice * masks,
                "edge": weights.edge * edge_loss(edge_logits, targets),
            }

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1].

        Returns:
            Objectness (B, Q), kernels (B, Q, C) and mask features (B, C, H / 4, W / 4), sizes rounded up, in float32.
        """
        output = self(pad_to_multiple(images))
        features = cut(output.mask_features, (images.shape[-2], images.shape[-1]), MASK_STRIDE)
        return output.objectness.float(), output.kernels.float(), features.float()

    def objects(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: OSFormerInference
    ) -> tuple[Tensor, Tensor]:
        """Find the instances of one image from (Q,), (Q, C) and (C, h, w): ids and scores (H, W).

        The score of a pixel is that of its instance: the objectness times the mean of the soft mask inside the mask,
        lowered by matrix NMS.
        """
        config = self.config.model_copy(update={"inference": inference})
        objectness, kernels, features = evidence
        ids, scores = instance_map(objectness, kernels, features, self.head, config)
        return ids[: size[0], : size[1]], scores[: size[0], : size[1]]

    @torch.no_grad()
    def inspect(self, images: Tensor) -> Inspection:
        """Inspect the masks of all cells in images (B, 3, H, W) float in [0, 1], whatever their objectness.

        Deformable attention looks at sampled points, so there are no weights over the image.
        """
        size = (images.shape[-2], images.shape[-1])
        output = self(pad_to_multiple(images))
        features = output.mask_features.float()
        with torch.autocast(images.device.type, enabled=False):
            logits = [self.head(k, f) for k, f in zip(output.kernels.float(), features, strict=True)]
        return Inspection(
            mask_logits=cut(torch.stack(logits), size, MASK_STRIDE),
            queries=None,
            pixel_embedding=cut(features, size, MASK_STRIDE),
            embedding_stride=MASK_STRIDE,
            attention=None,
            attention_stride=None,
        )
