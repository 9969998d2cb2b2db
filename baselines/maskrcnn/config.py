"""The switches of Mask R-CNN; the defaults are those of the paper's FPN variant, with anchors for small objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from pctrans.config import BackboneConfig, Config, ThresholdConfig

CANDIDATE_SCORE = 0.05
CANDIDATE_OVERLAP = 0.7
"""The least score, and the largest IoU of two boxes, of what the network proposes: thresholds choose among these."""


class MaskRCNNLossWeights(Config):
    """The weights of the five losses, all 1 in the paper."""

    objectness: float = Field(1.0, gt=0)
    proposal_box: float = Field(1.0, gt=0)
    classification: float = Field(1.0, gt=0)
    box: float = Field(1.0, gt=0)
    mask: float = Field(1.0, gt=0)


class MaskRCNNInference(ThresholdConfig):
    """The settings that turn detections into objects."""

    SEARCH_SPACE: ClassVar[Mapping[str, tuple[float, float]]] = {
        "score_threshold": (0.1, 0.9),
        "overlap_threshold": (0.2, 0.7),
        "mask_threshold": (0.3, 0.7),
    }

    score_threshold: float = Field(0.5, ge=CANDIDATE_SCORE, lt=1)
    """Detections with at most this probability of being an object are dropped."""
    overlap_threshold: float = Field(0.5, ge=0, le=CANDIDATE_OVERLAP)
    """A detection is dropped if its box has a larger IoU than this with the box of a more probable one."""
    mask_threshold: float = Field(0.5, gt=0, lt=1)
    """Pixels with a mask probability above this make up a detection's mask."""
    visible_share: float = Field(0.5, ge=0, le=1)
    """A detection is dropped as a duplicate if less than this share of its mask is outside the masks of better ones,
    as in `Mask2FormerInference`."""
    min_area: int = Field(40, ge=0)
    """Objects of at most this many pixels are dropped."""


class MaskRCNNConfig(Config):
    """The switches of Mask R-CNN: the common backbone, torchvision's pyramid and heads."""

    backbone: BackboneConfig = BackboneConfig()
    hidden_dim: int = Field(256, ge=8)
    """Channels of the pyramid and of the mask head."""
    head_dim: int = Field(1024, ge=8)
    """Channels of the two layers of the box head."""
    mask_layers: int = Field(4, ge=1)
    """3×3 convolutions of the mask head."""
    smallest_anchor: float = Field(8.0, gt=0)
    """Side of the smallest anchors in pixels, at stride 4. Each of the four levels has it, doubled from level to level,
    and √2 times as much, in three aspect ratios: 8 to 90 pixels by default."""
    proposals: int = Field(1000, ge=1)
    """Regions that the box head looks at in an image, and that each level may propose; twice as many in training."""
    rpn_samples: int = Field(256, ge=2)
    """Anchors of each image that the losses of the proposals are computed on, at most half of them on objects."""
    roi_samples: int = Field(512, ge=4)
    """Regions of each image that the other losses are computed on, at most a quarter of them on objects."""
    max_detections: int = Field(300, ge=1)
    """The most instances that can be found in one image; the paper's 100 is too few for nuclei."""
    loss_weights: MaskRCNNLossWeights = MaskRCNNLossWeights()
    inference: MaskRCNNInference = MaskRCNNInference()
