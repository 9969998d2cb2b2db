"""Cluster pixel embeddings by mean shift from typical seeds (De Brabandere et al. 2017, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def local_deviation(embedding: Tensor) -> Tensor:
    """Measure how far each pixel of (D, h, w) lies from the mean of the 3×3 pixels around it in the image: (h, w).

    The deviation is small inside an object, and large on its border with another or with the ground.
    """
    mean = F.avg_pool2d(embedding[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    return (embedding - mean).norm(dim=0)


def find_centres(pixels: Tensor, deviation: Tensor, bandwidth: float, steps: int, min_size: float) -> Tensor:
    """Find the centres of clusters, one after the other, each among the pixels that the earlier ones left.

    The paper starts at a random pixel; here it is the one of least deviation, so that the same image gives the same
    map. Mean shift with a flat kernel moves it to a local mean, and the pixels within the bandwidth leave. A pixel
    further than the bandwidth from its own neighbours is on a border and takes no part.

    Args:
        pixels: (P, D) embeddings.
        deviation: (P,) from `local_deviation`.
        bandwidth: radius of the kernel.
        steps: steps of mean shift, each over the pixels that are left.
        min_size: clusters of at most this many pixels do not count.

    Returns:
        (K, D), in the order found.
    """
    order = deviation.argsort(stable=True)
    pixels = pixels[order[: int((deviation <= bandwidth).sum())]]
    squares = pixels.square().sum(1)  # infinite for a pixel that has left: it is within nothing
    centres, left = [], len(pixels)
    while left > min_size:
        if 2 * left < len(pixels):  # copying them for every cluster would take longer than the mean shift
            pixels, squares = pixels[squares.isfinite()], squares[squares.isfinite()]
        seed = int(squares.isfinite().to(torch.uint8).argmax())
        centre, members = _shift(pixels, squares, pixels[seed], bandwidth, steps)
        if members.sum() > min_size:
            centres.append(centre)
        members[seed] = True  # a seed that its centre left behind would be drawn for ever
        squares.masked_fill_(members, torch.inf)
        left -= int(members.sum())
    return torch.stack(centres) if centres else pixels.new_zeros(0, pixels.shape[1])


def _shift(pixels: Tensor, squares: Tensor, centre: Tensor, bandwidth: float, steps: int) -> tuple[Tensor, Tensor]:
    """Shift a centre (D,) to a local mean; return it, and which pixels (P,) are within the bandwidth of it."""
    members = _within(pixels, squares, centre, bandwidth)
    for _ in range(steps):
        centre = members.to(pixels.dtype) @ pixels / members.sum()
        before, members = members, _within(pixels, squares, centre, bandwidth)
        if torch.equal(before, members):
            break
    return centre, members


def nearest_centre(pixels: Tensor, centres: Tensor, radius: float) -> Tensor:
    """Number each of (P, D) pixels by the nearest of (K, D) centres, 1..K; 0 with none within the radius."""
    if not len(centres):
        return torch.zeros(len(pixels), dtype=torch.long, device=pixels.device)
    distance, nearest = torch.cdist(pixels, centres).min(1)
    return torch.where(distance <= radius, nearest + 1, 0)


def _within(pixels: Tensor, squares: Tensor, centre: Tensor, radius: float) -> Tensor:
    """Test |x - c|² ≤ r², multiplied out: one product of matrix and vector is much faster than the differences."""
    return squares - 2 * (pixels @ centre) <= radius**2 - centre @ centre
