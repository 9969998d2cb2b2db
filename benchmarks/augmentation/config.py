"""The settings of augmentation: what may happen to a training image, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.errors import UserError

ADDED_LATER = {"negative": 0.0}
"""Fields that there have not always been, with the value at which nothing happens: there, jobs leave them out and keep
the keys that they had."""


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """The settings of one protocol; the defaults are those for fluorescence nuclei (BBBC039V1).

    The crop itself (position, `scale`, `aspect`, `pad`) is always drawn. The other steps form a chain that
    runs with `chain_probability`; within it every step happens on its own with `step_probability`.

    Attributes:
        chain_probability: in [0, 1].
        step_probability: in [0, 1]; the horizontal and the vertical flip count as two steps.
        flips: mirror left-right, mirror up-down.
        transpose: swap rows and columns.
        rotation: rotate about the middle of the crop by any angle.
        elastic_alpha: factor on a field of smoothed uniform noise in [-1, 1], in pixels; 0 is no deformation.
        elastic_sigma: standard deviation of the Gaussian that smooths the field, in pixels.
        brightness: add a number in ±brightness; 0 is off.
        contrast: multiply by a number in 1 ± contrast; 0 is off.
        gamma: raise to 2^g with g in ±gamma; 0 is off.
        negative: probability of the negative, bright and dark exchanged, whether or not the chain runs; 0 is off.
        scale: range of the area that becomes the crop, as a fraction of the area named by `scale_of`.
        scale_of: "crop": scale (1, 1) keeps the resolution. "image": the area is a share of the whole image,
            as in a random resized crop, and stays inside it; the resolution then depends on the crop's size.
        aspect: range of that area's width divided by its height, drawn on a logarithmic scale.
        pad: how far, in pixels, the crop may reach beyond the image into its reflection. Where the image is
            smaller than the crop, and in the corners of a rotated crop, the reflection goes as far as needed.
        min_pixels: instances with fewer pixels than this in the crop become background: slivers that a border
            leaves behind have no shape to learn. 1 keeps all.
    """

    chain_probability: float = 0.8
    step_probability: float = 0.5
    flips: bool = True
    transpose: bool = True
    rotation: bool = True
    elastic_alpha: float = 16.0
    elastic_sigma: float = 4.0
    brightness: float = 0.15
    contrast: float = 0.15
    gamma: float = 1.0
    negative: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    scale_of: Literal["crop", "image"] = "crop"
    aspect: tuple[float, float] = (1.0, 1.0)
    pad: int = 30
    min_pixels: int = 4

    def __post_init__(self) -> None:
        for name in ("scale", "aspect"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        for name in ("chain_probability", "step_probability", "negative"):
            self._require(name, 0 <= getattr(self, name) <= 1, "a number from 0 to 1")
        for name in ("elastic_alpha", "brightness", "gamma", "pad"):
            self._require(name, getattr(self, name) >= 0, "a number that is not negative")
        for name in ("scale", "aspect"):
            bounds = getattr(self, name)
            self._require(name, len(bounds) == 2 and 0 < bounds[0] <= bounds[1], "two numbers with 0 < low <= high")
        self._require("elastic_sigma", self.elastic_sigma > 0, "a number above 0")
        self._require("contrast", 0 <= self.contrast <= 1, "a number from 0 to 1")
        self._require("scale_of", self.scale_of in ("crop", "image"), "'crop' or 'image'")
        self._require("scale", self.scale_of == "crop" or self.scale[1] <= 1, "at most 1 where scale_of is 'image'")
        self._require("min_pixels", self.min_pixels >= 1, "a number of at least 1")

    def _require(self, name: str, valid: bool, expected: str) -> None:
        if not valid:
            raise UserError(f"augmentation.{name} is {getattr(self, name)!r}; expected {expected}.")


NUCLEI = AugmentationConfig()
"""The protocol for BBBC039V1."""

NONE = AugmentationConfig(
    chain_probability=0.0,
    flips=False,
    transpose=False,
    rotation=False,
    elastic_alpha=0.0,
    brightness=0.0,
    contrast=0.0,
    gamma=0.0,
    pad=0,
)
"""A random crop and nothing else."""

LEAVES = AugmentationConfig(
    chain_probability=1.0,
    transpose=False,
    rotation=False,
    elastic_alpha=0.0,
    brightness=0.0,
    contrast=0.0,
    gamma=0.0,
    scale=(0.7, 1.0),
    scale_of="image",
    aspect=(3 / 4, 4 / 3),
    pad=0,
)
"""The protocol for CVPPP A1: two flips and a random resized crop, with torchvision's default aspect ratios."""

PRESETS = {"nuclei": NUCLEI, "leaves": LEAVES, "none": NONE}
