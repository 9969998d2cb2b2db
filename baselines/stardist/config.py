"""The switches of StarDist; the defaults are the paper's and, where it is silent, the released ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from baselines.pyramid import PyramidConfig
from pctrans.config import Config, ThresholdConfig


class StarDistLossWeights(Config):
    """The weights of the object probability's cross-entropy and of the distances' absolute error."""

    probability: float = Field(1.0, gt=0)
    distance: float = Field(0.2, gt=0)


class StarDistInference(ThresholdConfig):
    """The settings that turn polygons into objects."""

    SEARCH_SPACE: ClassVar[Mapping[str, tuple[float, float]]] = {
        "probability_threshold": (0.2, 0.8),
        "overlap_threshold": (0.1, 0.7),
    }

    probability_threshold: float = Field(0.5, ge=0, lt=1)
    """Cells with an object probability above this propose their polygon."""
    overlap_threshold: float = Field(0.4, ge=0, le=1)
    """A polygon is dropped if it shares more than this part of the smaller of the two with a more probable one."""
    min_area: int = Field(40, ge=0)
    """Polygons and final objects of at most this many pixels are dropped."""


class StarDistConfig(PyramidConfig):
    """The switches of StarDist; by default 32 rays, as in the paper."""

    stride: Literal[1, 2] = 2
    """Pixels of the image between two polygons, in each direction."""
    head_channels: int = Field(128, ge=2, multiple_of=2)
    """Channels of the 3×3 convolution before the outputs, which keeps them from fighting over features."""
    rays: int = Field(32, ge=3)
    distance_unit: float = Field(1.0, gt=0)
    """Pixels that count as 1 in the network's output. 1 is the paper's; about an object's radius suits short trainings,
    whose steps are too small for outputs to grow from 0 to that many pixels."""
    loss_weights: StarDistLossWeights = StarDistLossWeights()
    inference: StarDistInference = StarDistInference()
