"""Every switch of EoMT; the sizes are those of the released ViT-L, with enough queries for nuclei."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from baselines.mask2former.config import Mask2FormerInference, Mask2FormerLossWeights
from pctrans.config import Config


class EoMTConfig(Config):
    """The switches of EoMT: a plain ViT with the sizes below, or a pretrained `checkpoint` in their place."""

    hidden_dim: int = Field(1024, ge=8)
    """Width of the ViT, of the queries and of the pixel embedding."""
    num_heads: int = Field(16, ge=1)
    encoder_layers: int = Field(24, ge=1)
    """Layers of the ViT, all in all."""
    query_layers: int = Field(4, ge=1)
    """The last layers, which process the queries too. The losses apply before each of them and after the last."""
    patch_size: int = Field(16, ge=4, multiple_of=4)
    """Pixels of the image per patch, in each direction. Masks have four cells a patch."""
    image_size: int = Field(640, ge=4)
    """Pixels of an image whose patches the position embeddings are of, one each; for others they are interpolated."""

    checkpoint: str | None = None
    """A complete EoMT by hub id ("tue-mps/coco_instance_eomt_large_640") or local folder. It brings the weights and the
    sizes above, whose values here are then ignored. Two parts start anew: the class head unless the checkpoint has one
    class, and the queries unless it has `num_queries`."""
    architecture: dict[str, Any] | None = None
    """The `transformers` configuration that replaces the sizes. A model that is built from a checkpoint writes it here,
    so that it can be saved and loaded again without the checkpoint."""

    num_queries: int = Field(300, ge=1)
    """The most instances that can be found in one image."""
    loss_weights: Mask2FormerLossWeights = Mask2FormerLossWeights()
    num_points: int = Field(12544, ge=1)
    """Points at which masks are compared, in the matching and in the mask losses."""
    inference: Mask2FormerInference = Mask2FormerInference()

    @model_validator(mode="after")
    def _check(self) -> EoMTConfig:
        if self.hidden_dim % self.num_heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} is no multiple of num_heads {self.num_heads}")
        if self.query_layers > self.encoder_layers:
            raise ValueError(f"query_layers {self.query_layers} are more than encoder_layers {self.encoder_layers}")
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size {self.image_size} is no multiple of patch_size {self.patch_size}")
        return self
