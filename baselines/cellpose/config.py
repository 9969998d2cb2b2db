"""The switches of Cellpose; the defaults are the paper's and, where it is silent, the released ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from baselines.pyramid import PyramidConfig
from pctrans.config import Config, ThresholdConfig


class CellposeLossWeights(Config):
    """The weights of the flows' squared error, at five times their length, and of the foreground's cross-entropy."""

    flow: float = Field(0.5, gt=0)
    foreground: float = Field(1.0, gt=0)


class CellposeInference(ThresholdConfig):
    """The settings that turn flows into objects."""

    SEARCH_SPACE: ClassVar[Mapping[str, tuple[float, float]]] = {
        "foreground_threshold": (0.2, 0.8),
        "flow_error_threshold": (0.2, 2.0),
    }

    foreground_threshold: float = Field(0.5, gt=0, lt=1)
    """Pixels with a foreground probability above this belong to objects."""
    flow_error_threshold: float = Field(0.4, gt=0)
    """An object is dropped if the network's flows in it differ by more than this, as the mean square of the vectors'
    difference, from the flows that its shape should have."""
    min_area: int = Field(40, ge=0)
    """Objects of at most this many pixels are dropped."""


class CellposeConfig(PyramidConfig):
    """The switches of Cellpose."""

    stride: Literal[1, 2] = 2
    """Pixels of the image per cell of the flows, in each direction."""
    tracking_steps: int = Field(200, ge=1)
    """Steps along the flows, each of at most about a cell: more than an object's radius in cells."""
    loss_weights: CellposeLossWeights = CellposeLossWeights()
    inference: CellposeInference = CellposeInference()
