"""Cellpose: a foreground probability and a flow to the object's centre in every cell, then tracking of the flows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.cellpose.config import CellposeConfig, CellposeInference
from baselines.cellpose.flows import centre_flows
from baselines.cellpose.tracking import flow_errors, follow, gather_basins
from baselines.pyramid import PyramidDecoder
from baselines.segmenter import TrainedSegmenter
from pctrans.backbone import Backbone
from pctrans.images import drop_small, pad_to_multiple
from pctrans.inspection import cut
from pctrans.targets import build_targets

FLOW_SCALE = 5
"""The network learns flows of this length, so that their squared error weighs as much as the cross-entropy."""


class Cellpose(TrainedSegmenter[CellposeConfig]):
    """A ResNet with a feature pyramid that gives each cell a foreground logit and the flow to its object's centre."""

    def __init__(self, config: CellposeConfig):
        super().__init__(config)
        self.backbone = Backbone(config.backbone)
        self.decoder = PyramidDecoder(self.backbone.channels, config.hidden_dim, config.stride)
        self.flow_head = nn.Conv2d(self.decoder.out_channels, 2, 1)
        self.foreground_head = nn.Conv2d(self.decoder.out_channels, 1, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute flows (B, 2, H / s, W / s), five times as long, and foreground logits (B, H / s, W / s); s: stride.

        Args:
            images: (B, 3, H, W) float in [0, 1], H and W multiples of 32.
        """
        features = self.decoder(self.backbone(self.normalise(images)))
        return self.flow_head(features), self.foreground_head(features)[:, 0]

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted squared error of the flows and the foreground's cross-entropy, means over cells.

        What a cell learns is the mean over its pixels.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        flows, logits = self(pad_to_multiple(images))
        targets = build_targets(labels)
        true_flows = F.avg_pool2d(pad_to_multiple(centre_flows(targets)), self.config.stride)
        foreground = F.avg_pool2d(pad_to_multiple((targets.labels > 0).float()), self.config.stride)
        with torch.autocast(images.device.type, enabled=False):
            error = F.mse_loss(flows.float(), FLOW_SCALE * true_flows)
            cross_entropy = F.binary_cross_entropy_with_logits(logits.float(), foreground)
        weights = self.config.loss_weights
        return {"flow": weights.flow * error, "foreground": weights.foreground * cross_entropy}

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1]. No threshold has a part in where flows end.

        Returns:
            Flows (B, 2, H / s, W / s), where each cell ends (B, 2, H / s, W / s) and foreground logits
            (B, H / s, W / s), in float32; s is the stride, sizes are rounded up.
        """
        size = (images.shape[-2], images.shape[-1])
        flows, logits = (cut(maps, size, self.config.stride).float() for maps in self(pad_to_multiple(images)))
        flows = flows / FLOW_SCALE
        with torch.autocast(images.device.type, enabled=False):
            ends = follow(flows, self.config.tracking_steps)
        return flows, ends, logits

    def objects(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: CellposeInference
    ) -> tuple[Tensor, Tensor]:
        """Find the objects of one image of (H, W) pixels from (2, h, w), (2, h, w) and (h, w).

        The foreground is interpolated, so that outlines are finer than cells; ids are not.

        Returns:
            Ids and probability of foreground, both (H, W).
        """
        flows, ends, logits = evidence
        stride = self.config.stride
        enlarged = F.interpolate(logits[None, None], scale_factor=stride, mode="bilinear", align_corners=False)[0, 0]
        foreground = logits.sigmoid() > inference.foreground_threshold
        ids = gather_basins(ends, foreground, stride)
        labels = drop_small(ids * foreground, 0)
        good = F.pad(flow_errors(labels, flows) <= inference.flow_error_threshold, (1, 0), value=False)
        present = torch.bincount((ids * foreground).flatten(), minlength=int(ids.max()) + 1) > 0
        present[0] = False
        kept = present.clone()
        kept[present] = good[1:]
        ids = torch.where(kept[ids], ids, 0).repeat_interleave(stride, 0).repeat_interleave(stride, 1)
        probability = enlarged.sigmoid()
        ids = ids * (probability > inference.foreground_threshold)
        return drop_small(ids[: size[0], : size[1]], inference.min_area), probability[: size[0], : size[1]]
