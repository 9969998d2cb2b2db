"""Random training crops: one composed sampling grid per image, applied once to image and labels.

geometry   the place in the image of every pixel of the crop (crop, scale, flips, transpose, rotation, elastic)
sampling   reading an image at those places, reflected at its borders
instances  telling which pixels of the crop are one instance
intensity  brightness, contrast and gamma
"""

from __future__ import annotations

from torch import Generator, Tensor

from benchmarks.augmentation.config import LEAVES, NONE, NUCLEI, PRESETS, AugmentationConfig
from benchmarks.augmentation.geometry import draw_geometry
from benchmarks.augmentation.instances import crop_instances
from benchmarks.augmentation.intensity import jitter_intensity
from benchmarks.augmentation.randomness import happens
from benchmarks.augmentation.sampling import nearest_pixels, sample_bilinear

__all__ = ["LEAVES", "NONE", "NUCLEI", "PRESETS", "AugmentationConfig", "augment"]


def augment(
    image: Tensor,
    labels: Tensor,
    *,
    crop: int,
    config: AugmentationConfig,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Draw one training crop.

    Args:
        image: (3, H, W) float in [0, 1], of any size, also smaller than the crop.
        labels: (H, W) int, 0 background, ids not necessarily contiguous; on the image's device.
        crop: side of the crop in pixels.
        config: settings of what may happen, and how often.
        generator: a CPU generator, so that a seed gives the same crop on every device.

    Returns:
        (3, crop, crop) float in [0, 1], and (crop, crop) int64 with ids 1..K without gaps, on the image's
        device.

    Raises:
        ValueError: shapes that do not fit together, or a crop below one pixel.
    """
    if image.ndim != 3 or labels.shape != image.shape[1:] or labels.numel() == 0:
        shapes = f"{tuple(image.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"expected image (3, H, W) and labels (H, W), not empty, got {shapes}")
    if crop < 1:
        raise ValueError(f"expected a crop of at least one pixel, got {crop}")

    chain = happens(config.chain_probability, generator)
    height, width = labels.shape
    geometry = draw_geometry((height, width), crop, config, chain, generator)
    grid = geometry.grid(crop, image.device)
    sampled = sample_bilinear(image, grid)
    if chain:
        sampled = jitter_intensity(sampled, config, generator)
    if config.negative and happens(config.negative, generator):
        sampled = 1 - sampled

    index, reflections = nearest_pixels(grid, (height, width))
    return sampled, crop_instances(labels, index, reflections, min_pixels=config.min_pixels)
