"""The switches of OSFormer; the defaults are the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from pctrans.config import BackboneConfig, Config, ThresholdConfig


class OSFormerLossWeights(Config):
    """The weights of the location (focal), mask (Dice) and edge (Dice) losses."""

    location: float = Field(1.0, ge=0)
    mask_dice: float = Field(3.0, ge=0)
    edge: float = Field(1.0, ge=0)


class OSFormerInference(ThresholdConfig):
    """The settings that turn cells into instances. Areas are in pixels of the image."""

    SEARCH_SPACE: ClassVar[Mapping[str, tuple[float, float]]] = {
        "score_threshold": (0.05, 0.6),
        "mask_threshold": (0.3, 0.7),
        "keep_threshold": (0.02, 0.5),
    }

    score_threshold: float = Field(0.1, ge=0, lt=1)
    """Cells with an objectness above this are candidates."""
    candidates: int = Field(500, ge=1)
    """At most this many candidates get masks, the best first (SOLOv2's number before suppression)."""
    mask_threshold: float = Field(0.5, gt=0, lt=1)
    nms_sigma: float = Field(2.0, gt=0)
    """σ of matrix NMS: an overlap of IoU multiplies a score by exp(-σ · IoU²)."""
    keep_threshold: float = Field(0.05, ge=0, lt=1)
    """Instances are kept if their score after suppression is at least this."""
    max_instances: int = Field(300, ge=1)
    """The most instances of one image. The released code has 100, but BBBC039 has images with 231 nuclei."""
    min_area: int = Field(40, ge=0)
    """Masks and final objects of at most this many pixels are dropped."""
    visible_share: float = Field(0.5, ge=0, le=1)
    """An instance is dropped as a duplicate if better ones leave it less than this share of its mask. Lists of
    overlapping masks need no such rule, but a label map does: without it, the fringes of duplicates become objects."""


class OSFormerConfig(Config):
    """The switches of OSFormer; by default ResNet-50 and 36² + 24² + 16² location-guided queries, as in the paper."""

    backbone: BackboneConfig = BackboneConfig()
    hidden_dim: int = Field(256, ge=8, multiple_of=8)
    """Width of the memory and the queries."""
    num_heads: int = Field(8, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    feedforward_channels: int = Field(256, ge=2, multiple_of=2)
    """Channels between the two 3×3 convolutions of the feed-forward, in encoder and decoder."""
    encoder_layers: int = Field(6, ge=1)
    encoder_points: int = Field(4, ge=1)
    """Sampling points of the encoder's deformable attention for each head and level."""
    decoder_layers: int = Field(3, ge=1)
    decoder_points: int = Field(4, ge=1)
    position_temperature: float = Field(10000.0, gt=0)
    released_position_encoding: bool = False
    """Whether to encode positions as the released code does, by a vector that is the same everywhere (a bug): the
    encoding of the origin, in every cell. False encodes each cell's centre."""

    grids: tuple[PositiveInt, PositiveInt, PositiveInt] = (36, 24, 16)
    """Cells along each side of the image in the three grids of location-guided queries, fine to coarse."""
    scale_ranges: tuple[tuple[PositiveFloat, PositiveFloat], ...] = Field(
        ((1.0, 192.0), (96.0, 384.0), (192.0, 2048.0)), min_length=3, max_length=3
    )
    """Range of √(box area) of the instances that each grid learns, limits included, in pixels of an image whose longer
    side is 1024; it scales with the longer side of the training image."""
    centre_share: float = Field(0.2, ge=0, le=1)
    """Positive cells overlap this share of the instance's box, moved to the centre of mass (SOLO's centre region)."""

    fusion_channels: int = Field(128, ge=2, multiple_of=2)
    """Channels of the coarse-to-fine fusion."""
    mask_channels: int = Field(256, ge=2, multiple_of=2)
    """Channels of the mask features at 1/4 and of the kernels."""

    loss_weights: OSFormerLossWeights = OSFormerLossWeights()
    inference: OSFormerInference = OSFormerInference()

    @model_validator(mode="after")
    def _check(self) -> OSFormerConfig:
        if self.hidden_dim % self.num_heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} is no multiple of num_heads {self.num_heads}")
        if any(low >= high for low, high in self.scale_ranges):
            raise ValueError(f"scale_ranges {self.scale_ranges} have a range whose lower limit is not below the upper")
        if any(below[1] < above[0] for below, above in pairwise(self.scale_ranges)):
            raise ValueError(f"scale_ranges {self.scale_ranges} leave a gap: no grid would learn the sizes between")
        return self
