"""Cellpose: a foreground probability and a flow to the object's centre in every cell, then tracking of the flows."""

# No postponed annotations here: the hub mixin reads the type of `config` from the signature.
import math

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.cellpose.config import CellposeConfig, CellposeInference
from baselines.cellpose.flows import centre_flows
from baselines.cellpose.tracking import flow_errors, follow, gather_basins
from baselines.pyramid import PyramidDecoder
from pctrans.backbone import Backbone
from pctrans.hub import config_coder
from pctrans.images import Normalise, drop_small, pad_to_multiple
from pctrans.targets import build_targets

FLOW_SCALE = 5
"""The network learns flows of this length, so that their squared error weighs as much as the cross-entropy."""


class Cellpose(
    nn.Module,
    PyTorchModelHubMixin,
    coders=config_coder(CellposeConfig),
    library_name="pctrans-bench",
    tags=["image-segmentation", "instance-segmentation", "microscopy"],
):
    """A ResNet with a feature pyramid that gives each cell a foreground logit and the flow to its object's centre."""

    def __init__(self, config: CellposeConfig):
        super().__init__()
        self.config = config
        self.normalise = Normalise()
        self.backbone = Backbone(config.backbone)
        self.decoder = PyramidDecoder(self.backbone.channels, config.hidden_dim, config.stride)
        self.flow_head = nn.Conv2d(self.decoder.out_channels, 2, 1)
        self.foreground_head = nn.Conv2d(self.decoder.out_channels, 1, 1)

    @property
    def max_instances(self) -> int | None:
        """None: there may be as many as there are sinks."""
        return None

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
    def segment(self, images: Tensor) -> Tensor:
        """Segment images (B, 3, H, W) float in [0, 1] into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        return self.decide(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1]. No threshold has a part in where flows end.

        Returns:
            Flows (B, 2, H / s, W / s), where each cell ends (B, 2, H / s, W / s) and foreground logits
            (B, H / s, W / s), in float32; s is the stride, sizes are rounded up.
        """
        height, width = images.shape[-2:]
        flows, logits = self(pad_to_multiple(images))
        rows, columns = math.ceil(height / self.config.stride), math.ceil(width / self.config.stride)
        flows = flows[..., :rows, :columns].float() / FLOW_SCALE
        with torch.autocast(images.device.type, enabled=False):
            ends = follow(flows, self.config.tracking_steps)
        return flows, ends, logits[:, :rows, :columns].float()

    @torch.no_grad()
    def decide(self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: CellposeInference) -> Tensor:
        """Turn the `evidence` of images of `size` (H, W) into instance maps (B, H, W) int64: 0 background, ids 1..K."""
        return self._found(evidence, size, inference)[0]

    @torch.no_grad()
    def segment_with_confidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps of `segment`, and each pixel's probability of foreground (B, H, W) in [0, 1]."""
        return self._found(self.evidence(images), (images.shape[-2], images.shape[-1]), self.config.inference)

    def _found(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: CellposeInference
    ) -> tuple[Tensor, Tensor]:
        with torch.autocast(evidence[0].device.type, enabled=False):
            objects = [self._objects(f, e, logits, inference) for f, e, logits in zip(*evidence, strict=True)]
        ids, foreground = (torch.stack(of)[:, : size[0], : size[1]] for of in zip(*objects, strict=True))
        return torch.stack([drop_small(one, inference.min_area) for one in ids]), foreground

    def _objects(self, flows: Tensor, ends: Tensor, logits: Tensor, config: CellposeInference) -> tuple[Tensor, Tensor]:
        """Find the objects of one image from (2, h, w), (2, h, w) and (h, w).

        Returns:
            Ids and probability of foreground, both (h · stride, w · stride).

        The foreground is interpolated, so that outlines are finer than cells; ids are not.
        """
        stride = self.config.stride
        enlarged = F.interpolate(logits[None, None], scale_factor=stride, mode="bilinear", align_corners=False)[0, 0]
        foreground = logits.sigmoid() > config.foreground_threshold
        ids = gather_basins(ends, foreground, stride)
        labels = drop_small(ids * foreground, 0)
        good = F.pad(flow_errors(labels, flows) <= config.flow_error_threshold, (1, 0), value=False)
        present = torch.bincount((ids * foreground).flatten(), minlength=int(ids.max()) + 1) > 0
        present[0] = False
        kept = present.clone()
        kept[present] = good[1:]
        ids = torch.where(kept[ids], ids, 0).repeat_interleave(stride, 0).repeat_interleave(stride, 1)
        probability = enlarged.sigmoid()
        return ids * (probability > config.foreground_threshold), probability
