"""Mask R-CNN: torchvision's pyramid, region proposals and heads on the common backbone (He et al., ICCV 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FeaturePyramidNetwork, nms

from baselines.boxes import instance_boxes
from baselines.maskrcnn.config import MaskRCNNConfig, MaskRCNNInference
from baselines.maskrcnn.heads import LEVELS, region_heads, region_proposals
from baselines.maskrcnn.painting import paint_detections
from baselines.masks import instance_masks
from baselines.segmenter import TrainedSegmenter
from pctrans.backbone import Backbone
from pctrans.distributed import count_per_process
from pctrans.images import pad_to_multiple
from pctrans.targets import build_targets


class MaskRCNN(TrainedSegmenter[MaskRCNNConfig]):
    """A ResNet with a feature pyramid that proposes boxes, scores and refines them, and has a mask for each."""

    def __init__(self, config: MaskRCNNConfig):
        super().__init__(config)
        self.backbone = Backbone(config.backbone)
        self.pyramid = FeaturePyramidNetwork(self.backbone.channels, config.hidden_dim)
        # Their classes come from a package without types.
        self.proposals: Any = region_proposals(config)
        self.heads: Any = region_heads(config)

    @property
    def max_instances(self) -> int:
        return self.config.max_detections

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Map images (B, 3, H, W) in [0, 1], sides multiples of 32, to maps (B, C, H / s, W / s), s = 4, 8, 16, 32.

        Returns:
            The maps by level, in float32.
        """
        features = self.pyramid(dict(zip(LEVELS, self.backbone(self.normalise(images)), strict=True)))
        return {level: feature.float() for level, feature in features.items()}

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted losses of proposals (objectness, box) and of regions (class, box, mask).

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        padded, weights = pad_to_multiple(images), self.config.loss_weights
        features, targets = self(padded), _detection_targets(pad_to_multiple(labels))
        with torch.autocast(images.device.type, enabled=False):  # boxes are too fine for half precision
            self._prepare(training=True)
            regions, of_proposals = self.proposals(_image_list(images, padded), features, targets)
            _, of_regions = self.heads(features, regions, _sizes(padded), targets)
        anchors, drawn = self.proposals.fg_bg_sampler, self.heads.fg_bg_sampler
        of_anchors, of_drawn = (_share(sampler.drawn, images.device) for sampler in (anchors, drawn))
        return {
            "objectness": weights.objectness * of_anchors * of_proposals["loss_objectness"],
            "proposal_box": weights.proposal_box * of_anchors * of_proposals["loss_rpn_box_reg"],
            "class": weights.classification * of_drawn * of_regions["loss_classifier"],
            "box": weights.box * of_drawn * of_regions["loss_box_reg"],
            "mask": weights.mask * _share(drawn.positives, images.device) * of_regions["loss_mask"],
        }

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1]: D detections of each, D = `max_detections`.

        Returns:
            Scores (B, D) in [0, 1], best first and 0 where there is no detection; boxes (B, D, 4), left, top, right and
            bottom in pixels; mask probabilities (B, D, 28, 28) inside the boxes.
        """
        padded = pad_to_multiple(images)
        features = self(padded)
        with torch.autocast(images.device.type, enabled=False):
            self._prepare(training=False)
            regions, _ = self.proposals(_image_list(images, padded), features)
            found, _ = self.heads(features, regions, _sizes(padded))
        scores, boxes, masks = ([one[name] for one in found] for name in ("scores", "boxes", "masks"))
        return self._stacked(scores), self._stacked(boxes), self._stacked([mask[:, 0] for mask in masks])

    def objects(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: MaskRCNNInference
    ) -> tuple[Tensor, Tensor]:
        """Choose and paint the detections of one image, (D,), (D, 4) and (D, 28, 28): ids and class scores (H, W)."""
        scores, boxes, masks = evidence
        likely = scores > inference.score_threshold
        scores, boxes, masks = scores[likely], boxes[likely], masks[likely]
        kept = nms(boxes, scores, inference.overlap_threshold)
        return paint_detections(masks[kept], boxes[kept], scores[kept], size, inference)

    def _prepare(self, *, training: bool) -> None:
        """Have torchvision's parts return losses or detections, whatever mode this model is in: they have no other."""
        self.proposals.training = self.heads.training = training

    def _stacked(self, of_images: list[Tensor]) -> Tensor:
        """Stack tensors (D_b, ...), extended with zeros to (B, D, ...)."""
        padding = [(0, 0) * (one.dim() - 1) + (0, self.config.max_detections - len(one)) for one in of_images]
        return torch.stack([F.pad(one, pad) for one, pad in zip(of_images, padding, strict=True)])


def _image_list(images: Tensor, padded: Tensor) -> ImageList:
    """Padded images with the sizes before, to which proposals are cut."""
    return ImageList(padded, _sizes(images))


def _sizes(images: Tensor) -> list[tuple[int, int]]:
    return [(images.shape[-2], images.shape[-1])] * len(images)


def _detection_targets(labels: Tensor) -> list[dict[str, Tensor]]:
    """Turn label maps (B, H, W) into torchvision's targets: boxes (K, 4), masks (K, H, W) and classes (K,), all 1.

    Instances come in the order of their first pixels: regions are drawn by their place in a list that ends in the true
    boxes, and how instances are numbered must not decide which.
    """
    targets = build_targets(labels)
    found = []
    for boxes, masks in zip(instance_boxes(targets), instance_masks(targets), strict=True):
        order = masks.flatten(1).argmax(1).argsort()
        classes = torch.ones(len(masks), dtype=torch.long, device=masks.device)
        found.append({"boxes": boxes[: len(masks)][order], "masks": masks[order], "labels": classes})
    return found


def _share(count: int, device: torch.device) -> Tensor:
    """What a mean over `count` of this process is multiplied by, so that processes average to the batch's mean."""
    own = torch.full((), float(count), device=device)
    return own / count_per_process(own)
