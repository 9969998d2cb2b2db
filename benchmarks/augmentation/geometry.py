"""The geometry of a training crop: the place in the source image that each of its pixels comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.augmentation.config import AugmentationConfig
from benchmarks.augmentation.randomness import happens, uniform

Matrix = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Geometry:
    """The map source(p) = matrix · (p - middle of the crop) + centre + displacement(p), all as (y, x) in pixels.

    Attributes:
        matrix: maps the crop's axes to the source's: flips, transpose, rotation and scale in one.
        centre: the place in the source that the middle of the crop shows.
        displacement: (2, crop, crop) in source pixels, on the CPU; None is none.
    """

    matrix: Matrix
    centre: tuple[float, float]
    displacement: Tensor | None = None

    def grid(self, crop: int, device: torch.device | str = "cpu") -> Tensor:
        """Return the source place (y, x) of each pixel, (2, crop, crop) float32; it may lie outside the source."""
        offset = torch.arange(crop, device=device, dtype=torch.float32) - (crop - 1) / 2
        # Products and sums are separate kernels: a fused multiply-add would round differently on a GPU.
        axes = [row * offset[:, None] + column * offset[None, :] for row, column in self.matrix]
        grid = torch.stack([axis + centre for axis, centre in zip(axes, self.centre, strict=True)])
        return grid if self.displacement is None else grid + self.displacement.to(device)


def draw_geometry(
    size: tuple[int, int], crop: int, config: AugmentationConfig, chain: bool, generator: torch.Generator
) -> Geometry:
    """Draw the geometry of a crop from an image of `size` (H, W); without `chain` only its position and scale."""
    window = _draw_window(size, crop, config, generator)
    centre = (
        _draw_position(size[0], window[0], config.pad, generator),
        _draw_position(size[1], window[1], config.pad, generator),
    )
    matrix: Matrix = ((window[0] / crop, 0.0), (0.0, window[1] / crop))
    if not chain:
        return Geometry(matrix, centre)

    def step(enabled: bool) -> bool:
        return enabled and happens(config.step_probability, generator)

    if step(config.flips):
        matrix = _product(matrix, ((-1.0, 0.0), (0.0, 1.0)))
    if step(config.flips):
        matrix = _product(matrix, ((1.0, 0.0), (0.0, -1.0)))
    if step(config.transpose):
        matrix = _product(matrix, ((0.0, 1.0), (1.0, 0.0)))
    if step(config.rotation):
        matrix = _product(matrix, rotation(uniform(0.0, 2 * math.pi, generator)))
    displacement = None
    if step(config.elastic_alpha > 0):
        displacement = elastic_displacement(crop, config.elastic_alpha, config.elastic_sigma, generator)
    return Geometry(matrix, centre, displacement)


def rotation(angle: float) -> Matrix:
    """Return the matrix that turns the picture counter-clockwise by `angle` in radians, seen with y pointing down."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return (cosine, sine), (-sine, cosine)


def elastic_displacement(crop: int, alpha: float, sigma: float, generator: torch.Generator) -> Tensor:
    """Draw alpha · Gaussian(sigma) * noise, (2, crop, crop), the noise uniform in [-1, 1] (Simard et al., 2003).

    The noise reaches three sigmas beyond the crop on each side, so that the border is deformed like the middle.
    """
    reach = math.ceil(3 * sigma)
    noise = torch.rand((2, crop + 2 * reach, crop + 2 * reach), generator=generator) * 2 - 1
    kernel = torch.exp(-torch.arange(-reach, reach + 1, dtype=torch.float32).square() / (2 * sigma**2))
    kernel /= kernel.sum()
    # Rows of `smoothing` are the kernel at successive places: two products smooth both axes.
    smoothing = torch.zeros(crop, crop + 2 * reach)
    for tap, weight in enumerate(kernel):
        smoothing.diagonal(tap).fill_(weight)
    return alpha * (smoothing @ noise @ smoothing.T)


def _draw_window(
    size: tuple[int, int], crop: int, config: AugmentationConfig, generator: torch.Generator
) -> tuple[float, float]:
    """Draw the height and width, in source pixels, of the area that becomes the crop."""
    scale = uniform(*config.scale, generator)
    aspect = math.exp(uniform(math.log(config.aspect[0]), math.log(config.aspect[1]), generator))
    if config.scale_of == "crop":
        side = crop * math.sqrt(scale)
        return side / math.sqrt(aspect), side * math.sqrt(aspect)
    side = math.sqrt(scale * size[0] * size[1])
    return min(side / math.sqrt(aspect), size[0]), min(side * math.sqrt(aspect), size[1])


def _draw_position(length: int, window: float, pad: int, generator: torch.Generator) -> float:
    """Draw the middle of the window along one axis, at any whole-pixel position within the padded image.

    Where the window is longer than the padded image, the image lies anywhere within the window.
    """
    first, last = sorted((-pad, length + pad - math.ceil(window)))
    start = first + math.floor(uniform(0, last - first + 1, generator))
    return start + (window - 1) / 2


def _product(left: Matrix, right: Matrix) -> Matrix:
    (a, b), (c, d) = left
    (e, f), (g, h) = right
    return (a * e + b * g, a * f + b * h), (c * e + d * g, c * f + d * h)
