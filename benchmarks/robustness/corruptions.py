"""Ways to make an image worse, each at five strengths that never change.

Noise, blur and their strengths are those of Hendrycks and Dietterich, "Benchmarking neural network robustness to common
corruptions and perturbations" (ICLR 2019; ImageNet-C, severities 1 to 5): `gaussian_noise` and `gaussian_blur`, the
noise a standard deviation of the range [0, 1], the blur one of pixels. Two are this project's own, as ImageNet-C has
neither: *dark* multiplies by the factors of its `contrast`, about black in place of the mean; *small* reduces the image
as a lower magnification would, antialiased, to 1 / factor of each side.

All of them change the image as the model is given it, in [0, 1] after normalisation, which would else undo the
darkening. Results are rounded to the 256 levels of an 8-bit camera, as ImageNet-C stores them: a dark image has few.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.transform import resize

STRENGTHS = (1, 2, 3, 4, 5)
LEVELS = 255


@dataclass(frozen=True)
class Kind:
    """One kind of corruption.

    Attributes:
        parameters: of each strength.
        unit: what the parameter is.
        apply: image (3, H, W) in [0, 1], parameter and random numbers to an image in any range.
    """

    name: str
    parameters: tuple[float, float, float, float, float]
    unit: str
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _noise(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    # A grey image has one sensor: noise that differed between its three copies would give it colour.
    grey = bool((image == image[:1]).all())
    return image + rng.normal(0, deviation, (1, *image.shape[1:]) if grey else image.shape)


def _blur(image: np.ndarray, deviation: float, _: np.random.Generator) -> np.ndarray:
    return gaussian_filter(image, (0, deviation, deviation), mode="nearest", truncate=4)


def _dark(image: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    return image * factor


def _small(image: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    height, width = (max(1, round(side / factor)) for side in image.shape[1:])
    return resize(image, (image.shape[0], height, width), order=1, mode="edge", anti_aliasing=True)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("noise", (0.08, 0.12, 0.18, 0.26, 0.38), "standard deviation of the noise, of the range [0, 1]", _noise),
        Kind("blur", (1, 2, 3, 4, 6), "standard deviation of the blur, pixels", _blur),
        Kind("dark", (0.4, 0.3, 0.2, 0.1, 0.05), "factor of the intensity", _dark),
        Kind("small", (1.25, 1.5, 2, 3, 4), "how many times smaller each side is", _small),
    )
}


def corrupt(image: np.ndarray, kind: str, strength: int, id: str) -> np.ndarray:
    """Make an image worse, the same way for every model and whenever it is asked.

    Args:
        image: (3, H, W) in [0, 1].
        kind: a name of `KINDS`.
        strength: from 1 to 5.
        id: the image's; noise is drawn by it, kind and strength.

    Returns:
        (3, h, w) float32 in [0, 1], multiples of 1 / 255; h and w are H and W but for "small".
    """
    digest = hashlib.sha256(f"{id}/{kind}/{strength}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    worse = KINDS[kind].apply(np.asarray(image, np.float64), KINDS[kind].parameters[strength - 1], rng)
    return (np.round(np.clip(worse, 0, 1) * LEVELS) / LEVELS).astype(np.float32)


def restore(labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bring a label map (h, w) back to the size of the truth (H, W): each pixel takes the id at its centre."""
    rows, columns = (
        np.minimum(((np.arange(size) + 0.5) * found / size).astype(int), found - 1)
        for size, found in zip(shape, labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]
