"""Every switch of the method in one place; the defaults are the paper's ablation model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Config(BaseModel):
    """Immutable; unknown fields are errors, so that a misspelt override never passes silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ThresholdConfig(Config):
    """Settings of inference, some of which are thresholds that can be chosen for a trained model."""

    SEARCH_SPACE: ClassVar[Mapping[str, tuple[float, float]]] = {}

    @property
    def search_space(self) -> Mapping[str, tuple[float, float]]:
        """Fields to choose, each with the least and the greatest value that is tried."""
        return self.SEARCH_SPACE


class BackboneConfig(Config):
    """A ResNet from `transformers`; strides 4, 8, 16, 32."""

    name: Literal["resnet18", "resnet34", "resnet50", "resnet101"] = "resnet50"
    width: int = Field(64, ge=8, multiple_of=8)
    """Channels of the stem; the stages have 1, 2, 4, 8 times as many (and ×4 in bottlenecks). 64 is ResNet."""
    pretrained: str | None = None
    """A hub id ("microsoft/resnet-50") or a local folder with a ResNet checkpoint; None starts from scratch."""


class LossWeights(Config):
    """λ1 to λ6 of eq. 8. A weight of 0 leaves the loss out, and its computation too."""

    mask: float = Field(5.0, ge=0)
    point: float = Field(5.0, ge=0)
    discriminative: float = Field(2.0, ge=0)
    semantic: float = Field(5.0, ge=0)
    query_contrast: float = Field(2.0, ge=0)
    mask_contrast: float = Field(2.0, ge=0)


class InferenceConfig(ThresholdConfig):
    """Cluster-then-average (section 3.4). The paper gives no thresholds.

    Those that are not given follow `averaging`: the released ones for BBBC039V1 with "binary", and with "soft" ones
    that suit the average of soft masks.
    """

    SEARCH_SPACES: ClassVar[Mapping[str, Mapping[str, tuple[float, float]]]] = {
        "soft": {"binarise_threshold": (0.2, 0.8), "group_threshold": (0.1, 0.7), "mask_threshold": (0.3, 0.7)},
        "binary": {"binarise_threshold": (0.05, 0.8), "group_threshold": (0.1, 0.7), "mask_threshold": (0.0, 0.7)},
    }
    """By `averaging`."""

    averaging: Literal["soft", "binary"] = "soft"
    """What of a group's masks is averaged. "binary" is the released form: masks are binarised first, and groups
    gather in the order of the queries. With "soft", they gather from the most confident query on."""
    binarise_threshold: float = Field(0.5, gt=0, lt=1)
    """A query's mask for grouping: soft mask above this."""
    group_threshold: float = Field(0.3, gt=0, le=1)
    """Queries whose binary masks overlap with a Dice above this predict the same instance."""
    mask_threshold: float = Field(0.5, ge=0, lt=1)
    """A pixel belongs to its best group only if the group's averaged mask is above this."""
    min_area: int = Field(40, ge=0)
    """Masks and final objects of at most this many pixels are dropped."""
    containment_threshold: float | None = Field(None, gt=0, le=1)
    """Drop a group of which at least this share lies inside a larger one (CVPPP: 0.72); None keeps all."""
    semantic_threshold: float | None = Field(None, gt=0, lt=1, exclude_if=lambda value: value is None)
    """Drop an object whose mean probability of foreground, by the semantic branch, is below this; None keeps all. Not
    in the paper: see `pctrans.foreground`."""

    @model_validator(mode="before")
    @classmethod
    def _released_defaults(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("averaging") == "binary":
            return {"binarise_threshold": 0.05, "group_threshold": 0.15, "mask_threshold": 0.0} | dict(given)
        return given

    @property
    def search_space(self) -> Mapping[str, tuple[float, float]]:
        """Fields to choose, each with the least and the greatest value that is tried."""
        return self.SEARCH_SPACES[self.averaging]


class PCTransConfig(Config):
    """The model of the paper's ablations: ResNet-50, τ_q = τ_m = 1, 300 queries."""

    backbone: BackboneConfig = BackboneConfig()
    hidden_dim: int = Field(128, ge=8, multiple_of=8)
    """D: width of pixel embedding and queries. The paper is silent, the released configuration says 128."""
    num_heads: int = Field(8, ge=1)
    num_queries: int = Field(300, ge=1)
    """N, table 8."""

    encoder_layers: int = Field(6, ge=0)
    """L, table 6: multi-scale deformable self-attention layers; 0 leaves the projected features as they are."""
    encoder_feedforward: int = Field(1024, ge=1)
    encoder_points: int = Field(4, ge=1)
    """Sampling points of deformable attention for each head and level."""

    decoder_layers: int = Field(9, ge=1)
    decoder_feedforward: int = Field(1024, ge=1)
    attention_type: Literal[1, 2, 3] = 3
    """Table 3. 1: standard, learned position added. 2: sinusoidal position of the centre concatenated.
    3: the same, transformed by the query (eq. 4)."""
    query_position_temperature: float = Field(20.0, gt=0)
    pixel_position_temperature: float = Field(10000.0, gt=0)

    mask_head: Literal["dynamic", "inner_product"] = "dynamic"
    """Table 4, column 1."""
    relative_coordinates: bool = True
    """Table 4, column 2: M_rc joins F_mask in the dynamic mask head."""
    coordinate_unit: float = Field(2.0, gt=0)
    """Pixels of the input that count as 1 in M_rc. 2 is what the released code comes to, which calls its 1/8 map one of
    stride 4; larger values normalise."""
    mask_channels: int = Field(16, ge=1)
    """C_mask, table 7."""
    dynamic_channels: int = Field(8, ge=1)
    mask_stride: Literal[4, 8] = 8
    """Pixels of the input between two cells of the masks. 8 is the paper's; 4 adds the 1/4 detail again."""

    loss_weights: LossWeights = LossWeights()
    query_temperature: float = Field(1.0, gt=0)
    """τ_q of eq. 6, table 5."""
    mask_temperature: float = Field(1.0, gt=0)
    """τ_m of eq. 7, table 5."""
    matching_centre_weight: float = Field(0.0, ge=0)
    """Weight of the L1 distance of centres in the cost of the matching, beside BCE + Dice (eq. 1). The paper has none;
    a short training needs it, as first masks say little about which query is near an instance."""
    num_points: int = Field(12544, ge=1)
    """Points at which masks are compared, in the matching and in the mask loss."""
    query_contrast_form: Literal["cosine", "released"] = "cosine"
    """"released": inner product at temperature 2, and an L2 term on the cosines of the positives and of ten sampled
    negatives for each."""

    activation_checkpointing: bool = False
    """Keep only the inputs of the encoder's and the decoder's layers for the backward pass, and run them again
    there: less memory for a third more time in them; the numbers stay the same."""

    inference: InferenceConfig = InferenceConfig()

    @model_validator(mode="after")
    def _check(self) -> PCTransConfig:
        if self.inference.semantic_threshold is not None and not self.loss_weights.semantic:
            raise ValueError("inference.semantic_threshold needs the semantic branch: loss_weights.semantic above 0")
        if self.hidden_dim % self.num_heads:
            raise ValueError(f"hidden_dim {self.hidden_dim} is no multiple of num_heads {self.num_heads}")
        if self.relative_coordinates and self.mask_head == "inner_product":
            raise ValueError(
                "relative_coordinates needs mask_head 'dynamic': the inner product has no input to join them to"
            )
        return self
