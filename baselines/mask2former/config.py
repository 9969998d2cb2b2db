"""Every switch of Mask2Former; the defaults are the paper's instance model, with enough queries for nuclei."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, model_validator

from pctrans.config import BackboneConfig, Config, ThresholdConfig


class Mask2FormerLossWeights(Config):
    """The weights of the losses of each prediction. The first three weigh the costs of the matching too."""

    cross_entropy: float = Field(2.0, gt=0)
    mask: float = Field(5.0, gt=0)
    dice: float = Field(5.0, gt=0)
    no_object: float = Field(0.1, gt=0)
    """Weight of "no object" in the cross-entropy of the classes, where "object" has 1."""


class Mask2FormerInference(ThresholdConfig):
    """The settings that turn queries into a map of instances, see `paint_instances`."""

    SEARCH_SPACE: ClassVar[Mapping[str, tuple[float, float]]] = {
        "score_threshold": (0.2, 0.9),
        "mask_threshold": (0.3, 0.7),
    }

    score_threshold: float = Field(0.5, ge=0, lt=1)
    """Queries with at most this class probability are dropped."""
    mask_threshold: float = Field(0.5, gt=0, lt=1)
    """Pixels with a mask probability above this make up a query's mask."""
    visible_share: float = Field(0.5, ge=0, le=1)
    """A query is dropped as a duplicate if less than this share of its mask is outside the masks of better ones, as in
    `OSFormerInference`: a label map would show the fringes of duplicates as objects."""
    min_area: int = Field(40, ge=0)
    """Objects of at most this many pixels are dropped."""


class Mask2FormerConfig(Config):
    """The switches of Mask2Former: a ResNet with the sizes below, or a pretrained `checkpoint` in their place."""

    backbone: BackboneConfig = BackboneConfig()
    hidden_dim: int = Field(256, ge=32, multiple_of=32)
    """Width of the pixel decoder, of the queries and of the pixel embedding."""
    num_heads: int = Field(8, ge=1)
    encoder_layers: int = Field(6, ge=1)
    """Layers of multi-scale deformable self-attention in the pixel decoder."""
    encoder_feedforward: int = Field(1024, ge=1)
    decoder_layers: int = Field(9, ge=1)
    """Layers of masked attention. The losses apply after each, and to the prediction before the first."""
    decoder_feedforward: int = Field(2048, ge=1)

    checkpoint: str | None = None
    """A complete Mask2Former with any backbone, by hub id ("facebook/mask2former-swin-small-coco-instance") or
    local folder. It brings the weights, the backbone and the sizes from `hidden_dim` to `decoder_feedforward`,
    whose values here are then ignored; but where its backbone is a ResNet, `backbone` must name that ResNet.
    Two parts start anew: the class head unless the checkpoint has one class, and the queries unless it has
    `num_queries`."""
    architecture: dict[str, Any] | None = None
    """The `transformers` configuration that replaces `backbone` and the sizes. A model that is built from a checkpoint
    writes it here, so that it can be saved and loaded again without the checkpoint."""

    num_queries: int = Field(300, ge=1)
    """The most instances that can be found in one image."""
    loss_weights: Mask2FormerLossWeights = Mask2FormerLossWeights()
    num_points: int = Field(12544, ge=1)
    """Points at which masks are compared, in the matching and in the mask losses."""
    inference: Mask2FormerInference = Mask2FormerInference()

    @model_validator(mode="after")
    def _check(self) -> Mask2FormerConfig:
        if self.hidden_dim % self.num_heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} is no multiple of num_heads {self.num_heads}")
        if self.checkpoint and self.backbone.pretrained:
            raise ValueError(
                f"checkpoint '{self.checkpoint}' brings the weights of its backbone, and backbone.pretrained "
                f"'{self.backbone.pretrained}' would be others: set one of the two to null"
            )
        return self
