"""StarDist: an object probability and radial distances in every cell, then non-maximum suppression of polygons."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.pyramid import PyramidDecoder
from baselines.segmenter import TrainedSegmenter
from baselines.stardist.config import StarDistConfig, StarDistInference
from baselines.stardist.polygons import Polygons, paint, suppress
from baselines.stardist.targets import object_probability, radial_distances
from pctrans.backbone import Backbone
from pctrans.distributed import count_per_process
from pctrans.images import confidence_of, drop_small, pad_to_multiple
from pctrans.layers import conv_norm
from pctrans.targets import build_targets

BACKGROUND_WEIGHT = 1e-4
"""Weight of the distances' size where there is no object, relative to their error; as released."""
LEAST_DISTANCE = 1e-3


class StarDist(TrainedSegmenter[StarDistConfig]):
    """A ResNet with a feature pyramid that gives each cell an object probability and a star-convex polygon."""

    def __init__(self, config: StarDistConfig):
        super().__init__(config)
        self.backbone = Backbone(config.backbone)
        self.decoder = PyramidDecoder(self.backbone.channels, config.hidden_dim, config.stride)
        self.features = conv_norm(self.decoder.out_channels, config.head_channels, 3, relu=True)
        self.probability_head = nn.Conv2d(config.head_channels, 1, 1)
        self.distance_head = nn.Conv2d(config.head_channels, config.rays, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute logits (B, H / s, W / s) and distances (B, rays, H / s, W / s) in pixels, s the stride.

        Args:
            images: (B, 3, H, W) float in [0, 1], H and W multiples of 32.
        """
        features = self.features(self.decoder(self.backbone(self.normalise(images))))
        return self.probability_head(features)[:, 0], self.config.distance_unit * self.distance_head(features)

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted cross-entropy of the object probability and the absolute error of the distances.

        The error is averaged over cells by their true object probability: distances matter most where polygons come
        from.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        config = self.config
        logits, distances = self(pad_to_multiple(images))
        # On the image as it is: padding is no other object, and no border.
        targets = build_targets(labels)
        half = config.stride // 2
        probability = object_probability(targets)[:, half :: config.stride, half :: config.stride]
        outline = radial_distances(targets.labels, config.rays, config.stride)
        probability, outline = _padded(probability, logits), _padded(outline, logits)
        with torch.autocast(images.device.type, enabled=False):
            cross_entropy = F.binary_cross_entropy_with_logits(logits.float(), probability)
            error = _distance_error(distances.float(), outline, probability)
        weights = config.loss_weights
        return {"probability": weights.probability * cross_entropy, "distance": weights.distance * error}

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1].

        Returns:
            Logits (B, H / s, W / s) and distances (B, rays, H / s, W / s) in pixels, in float32; s is the stride,
            sizes are those of the cells whose centre is a pixel of the image.
        """
        logits, distances = self(pad_to_multiple(images))
        half = self.config.stride // 2
        rows, columns = (math.ceil((side - half) / self.config.stride) for side in images.shape[-2:])
        return logits[:, :rows, :columns].float(), distances[..., :rows, :columns].float()

    def objects(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: StarDistInference
    ) -> tuple[Tensor, Tensor]:
        """Find the objects of one image from logits (h, w) and distances (rays, h, w): ids and probabilities (H, W).

        The probability of a pixel is that of its object.
        """
        # Polygons are judged one after the other: an accelerator takes longer to start that than to do it.
        logits, distances = (tensor.cpu() for tensor in evidence)
        stride = self.config.stride
        probability = logits.sigmoid()
        row, column = (probability > inference.probability_threshold).nonzero(as_tuple=True)
        # No further than across the image: what an untrained network says has to end, too.
        corners = distances[:, row, column].T.clamp(LEAST_DISTANCE, math.hypot(*size))
        polygons = Polygons(stride * torch.stack((row, column), 1) + stride // 2, corners)
        large = polygons.areas() > inference.min_area
        kept, scores = suppress(polygons[large], probability[row, column][large], inference.overlap_threshold)
        painted = paint(kept, size, logits.device)
        ids, confidence = drop_small(painted, inference.min_area), confidence_of(painted, scores)
        return ids.to(evidence[0].device), confidence.to(evidence[0].device)


def _distance_error(distances: Tensor, outline: Tensor, probability: Tensor) -> Tensor:
    """Average |predicted - true| (B, rays, h, w) over rays, and over cells by the true object probability (B, h, w)."""
    error = ((distances - outline).abs().mean(1) * probability).sum() / count_per_process(probability.sum())
    background = (distances.abs().mean(1) * (1 - probability)).mean()
    return error + BACKGROUND_WEIGHT * background


def _padded(target: Tensor, cells: Tensor) -> Tensor:
    """Extend targets (..., h', w') with zeros to the right and below to the size of the cells (..., h, w)."""
    height, width = cells.shape[-2:]
    return F.pad(target, (0, width - target.shape[-1], 0, height - target.shape[-2]))
