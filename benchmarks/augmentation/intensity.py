"""Brightness, contrast and gamma."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.augmentation.config import AugmentationConfig
from benchmarks.augmentation.randomness import happens, uniform


def jitter_intensity(image: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Multiply an image in [0, 1] by 1 ± contrast, add ± brightness, clip to [0, 1] and raise to 2^±gamma."""

    def step(strength: float) -> bool:
        return strength > 0 and happens(config.step_probability, generator)

    if step(config.contrast):
        image = image * uniform(1 - config.contrast, 1 + config.contrast, generator)
    if step(config.brightness):
        image = image + uniform(-config.brightness, config.brightness, generator)
    image = image.clamp(0, 1)
    if step(config.gamma):
        image = image ** (2 ** uniform(-config.gamma, config.gamma, generator))
    return image
