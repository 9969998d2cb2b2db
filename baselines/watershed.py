"""Otsu's threshold and a watershed of the distance transform: the floor for every trained method, without training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NoReturn, Self

import numpy as np
import torch
from pydantic import Field
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed
from torch import Tensor

from pctrans.config import Config
from pctrans.images import drop_small

CONFIG_FILE = "config.json"


class WatershedConfig(Config):
    """The switches of the watershed; lengths are in pixels of the image."""

    sigma: float = Field(1.0, ge=0)
    """Deviation of the Gaussian that smooths the image before the threshold."""
    bright: Literal["auto"] | bool = "auto"
    """Whether objects are brighter than the ground; with "auto", objects are on the side of the threshold that has
    fewer pixels, the bright one if both have as many."""
    min_distance: int = Field(7, ge=1)
    """The least distance between two peaks of the distance transform, along rows and columns."""
    distance_sigma: float = Field(0.0, ge=0)
    """Deviation of the Gaussian that smooths the distance transform before its peaks are sought: fewer false
    splits of ragged outlines. 0 leaves it as it is."""
    min_area: int = Field(0, ge=0)
    """Objects of at most this many pixels are dropped."""


class Watershed:
    """Smooth, threshold, fill holes, then flood from the peaks of the distance to the ground.

    Otsu 1979 (threshold), Beucher and Lantuéjoul 1979 (watershed). Nothing is learned, so this is no module.
    """

    def __init__(self, config: WatershedConfig):
        self.config = config

    @property
    def max_instances(self) -> int | None:
        """None: there may be as many as there are peaks."""
        return None

    def losses(self, images: Tensor, labels: Tensor) -> NoReturn:
        """Raises: TypeError: there is nothing to train."""
        raise TypeError("Watershed has no parameters and no losses: there is nothing to train")

    @torch.no_grad()
    def segment(self, images: Tensor) -> Tensor:
        """Segment images (B, 3, H, W) float in [0, 1] into instance maps (B, H, W) int64: 0 background, ids 1..K.

        Colour counts as grey, by the mean of its channels. An image of one value has no objects.
        """
        grey = images.float().mean(1).cpu().numpy()
        maps = [torch.from_numpy(self._objects(image)) for image in grey]
        return torch.stack([drop_small(ids, self.config.min_area) for ids in maps]).to(images.device)

    def _objects(self, grey: np.ndarray) -> np.ndarray:
        """Find the objects (H, W) int64 of a grey image (H, W) float32."""
        config = self.config
        foreground = ndimage.binary_fill_holes(self._foreground(gaussian(grey, config.sigma)))
        # A frame of ground would bend the ridges of objects that the image's edge cuts, so there is none.
        distance = ndimage.distance_transform_edt(foreground)
        smooth = gaussian(distance, config.distance_sigma) if config.distance_sigma else distance
        peaks = peak_local_max(smooth, min_distance=config.min_distance, labels=foreground, exclude_border=False)
        markers = np.zeros(grey.shape, dtype=np.int64)
        markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        return watershed(-smooth, markers, mask=foreground).astype(np.int64)

    def _foreground(self, grey: np.ndarray) -> np.ndarray:
        if np.ptp(grey) == 0:
            return np.zeros(grey.shape, dtype=bool)
        bright = grey > threshold_otsu(grey)
        wanted = bright.mean() <= 0.5 if self.config.bright == "auto" else self.config.bright
        return bright if wanted else ~bright

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the configuration as JSON; there are no weights."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / CONFIG_FILE).write_text(self.config.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Load what `save_pretrained` wrote.

        Raises:
            OSError: there is no configuration.
            ValueError: the configuration is not valid.
        """
        stored: Any = json.loads((Path(folder) / CONFIG_FILE).read_text(encoding="utf-8"))
        return cls(WatershedConfig.model_validate(stored))
