"""Discriminative pixel embedding (De Brabandere et al., CVPR workshops 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.clustering import find_centres, local_deviation, nearest_centre
from baselines.pyramid import PyramidConfig, PyramidDecoder
from baselines.segmenter import TrainedSegmenter
from pctrans.backbone import Backbone
from pctrans.config import Config, ThresholdConfig
from pctrans.images import drop_small, pad_to_multiple
from pctrans.inspection import cut
from pctrans.losses import discriminative_loss
from pctrans.targets import build_targets


class DiscriminativeLossWeights(Config):
    """The weights of both terms, which are needed: one tells objects apart, the other tells them from the ground."""

    discriminative: float = Field(1.0, gt=0)
    foreground: float = Field(1.0, gt=0)


class DiscriminativeInference(ThresholdConfig):
    """The settings that turn embeddings into objects."""

    SEARCH_SPACE: ClassVar[Mapping[str, tuple[float, float]]] = {
        "foreground_threshold": (0.3, 0.7),
        "bandwidth": (0.3, 2.0),
        "assignment_radius": (0.5, 2.5),
    }

    foreground_threshold: float = Field(0.5, gt=0, lt=1)
    """Pixels with a foreground probability above this are clustered."""
    bandwidth: float | None = Field(None, gt=0)
    """Radius of the mean shift's kernel, in units of the embedding; None is delta_v, as in the paper."""
    shift_steps: int = Field(5, ge=0)
    assignment_radius: float | None = Field(None, gt=0)
    """A pixel further than this from every centre belongs to none; None is delta_d, half the distance that the
    loss asks for between two centres. The loss lets pixels spread up to delta_v and a little beyond, so that
    the paper's radius, delta_v, would fray every object."""
    min_area: int = Field(40, ge=0)
    """Clusters and objects of at most this many pixels of the image are dropped."""


class DiscriminativeConfig(PyramidConfig):
    """The switches of discriminative embedding; the margins are the paper's."""

    stride: Literal[1, 2] = 2
    """Pixels of the image per cell of the embedding, in each direction."""
    embedding_dim: int = Field(16, ge=1)
    delta_v: float = Field(0.5, gt=0)
    """Pixels within this distance of their object's mean are not pulled."""
    delta_d: float = Field(1.5, gt=0)
    """Means further apart than twice this are not pushed."""
    gamma: float = Field(0.001, ge=0)
    """Weight of the regulariser, which pulls the means to the origin, inside the discriminative loss."""
    loss_weights: DiscriminativeLossWeights = DiscriminativeLossWeights()
    inference: DiscriminativeInference = DiscriminativeInference()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.delta_d <= self.delta_v:
            raise ValueError(f"delta_d {self.delta_d} must exceed delta_v {self.delta_v}, or objects may overlap")
        return self


class DiscriminativeEmbedding(TrainedSegmenter[DiscriminativeConfig]):
    """A ResNet with a feature pyramid that gives each cell an embedding and a foreground logit; mean shift clusters."""

    def __init__(self, config: DiscriminativeConfig):
        super().__init__(config)
        self.backbone = Backbone(config.backbone)
        self.decoder = PyramidDecoder(self.backbone.channels, config.hidden_dim, config.stride)
        self.embedding_head = nn.Conv2d(self.decoder.out_channels, config.embedding_dim, 1)
        self.foreground_head = nn.Conv2d(self.decoder.out_channels, 1, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the embedding (B, D, H / s, W / s) and foreground logits (B, H / s, W / s), s the stride.

        Args:
            images: (B, 3, H, W) float in [0, 1], H and W multiples of 32.
        """
        features = self.decoder(self.backbone(self.normalise(images)))
        return self.embedding_head(features), self.foreground_head(features)[:, 0]

    def losses(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the weighted discriminative loss and the foreground's cross-entropy, the mean over cells.

        A cell learns the share of its pixels that are foreground, and belongs to the object that has most of them.
        The foreground has cross-entropy and not a focal loss: its edge is the object's edge here, and the focal loss
        moves the place where the probability is 1/2.

        Args:
            images: (B, 3, H, W) float in [0, 1].
            labels: (B, H, W) integers, 0 background, an id for each instance.
        """
        config = self.config
        embedding, logits = self(pad_to_multiple(images))
        targets = build_targets(pad_to_multiple(labels))
        cells = targets.majority(config.stride)
        share = F.avg_pool2d((targets.labels > 0).float(), config.stride)
        margins = {"delta_v": config.delta_v, "delta_d": config.delta_d, "gamma": config.gamma}
        with torch.autocast(images.device.type, enabled=False):
            grouping = discriminative_loss(embedding, cells, max(targets.counts), **margins)
            foreground = F.binary_cross_entropy_with_logits(logits.float(), share)
        weights = config.loss_weights
        return {"discriminative": weights.discriminative * grouping, "foreground": weights.foreground * foreground}

    @torch.no_grad()
    def evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute what `decide` needs from images (B, 3, H, W) in [0, 1].

        Returns:
            Embedding (B, D, H / s, W / s) and foreground logits (B, H / s, W / s), in float32; s is the stride, sizes
            are rounded up.
        """
        size = (images.shape[-2], images.shape[-1])
        embedding, logits = (cut(maps, size, self.config.stride).float() for maps in self(pad_to_multiple(images)))
        return embedding, logits

    def objects(
        self, evidence: tuple[Tensor, ...], size: tuple[int, int], inference: DiscriminativeInference
    ) -> tuple[Tensor, Tensor]:
        """Cluster one image of (H, W) pixels, (D, h, w) and (h, w) -> ids and probability of foreground (H, W).

        The foreground is interpolated, so that edges are finer than cells; ids are not. Every cell that has a
        foreground pixel is clustered. Distances of embeddings are no probabilities, so nothing is said of how sure the
        grouping is.
        """
        embedding, logits = evidence
        stride = self.config.stride
        logits = F.interpolate(logits[None, None], scale_factor=stride, mode="bilinear", align_corners=False)[0]
        probability = logits.sigmoid()
        foreground = probability > inference.foreground_threshold
        cells = F.max_pool2d(foreground.float(), stride)[0] > 0
        pixels = embedding[:, cells].T.contiguous()
        deviation = local_deviation(embedding)[cells]
        bandwidth = inference.bandwidth or self.config.delta_v
        centres = find_centres(pixels, deviation, bandwidth, inference.shift_steps, inference.min_area / stride**2)
        ids = torch.zeros(cells.shape, dtype=torch.long, device=cells.device)
        ids[cells] = nearest_centre(pixels, centres, inference.assignment_radius or self.config.delta_d)
        ids = ids.repeat_interleave(stride, 0).repeat_interleave(stride, 1) * foreground[0]
        return drop_small(ids[: size[0], : size[1]], inference.min_area), probability[0, : size[0], : size[1]]
