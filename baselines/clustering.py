"""Clusters of pixel embeddings by mean shift from typical seeds (De Brabandere et al. 2017, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def local_deviation(embedding: Tensor) -> Tensor:
    """How far each pixel of (D, h, w) lies from the mean of the 3×3 pixels around it in the image: (h, w).

    Small inside an object, large on its border with another or with the ground.
    """
    mean = F.avg_pool2d(embedding[None], 3, stride=1, padding=1, count_include_pad=False)[0]
    return (embedding - mean).norm(dim=0)


def find_centres(pixels: Tensor, deviation: Tensor, bandwidth: float, steps: int, min_size: float) -> Tensor:
    """Centres of clusters, one after the other, each among the pixels that the earlier ones left.

    The paper starts at a random pixel; here it is the one of least deviation, for the same image to give the same
    map. Mean shift with a flat kernel moves it to a local mean, and the pixels within the bandwidth leave. A pixel
    further than the bandwidth from its own neighbours is on a border and takes no part.

    Args:
        pixels: (P, D) embeddings.
        deviation: (P,) of `local_deviation`.
        bandwidth: radius of the kernel.
        steps: of mean shift, each over the pixels that are left.
        min_size: clusters of at most this many pixels are no clusters.

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
        members[seed] = True  # one that its centre left behind would be drawn for ever
        squares.masked_fill_(members, torch.inf)
        left -= int(members.sum())
    return torch.stack(centres) if centres else pixels.new_zeros(0, pixels.shape[1])


def _shift(pixels: Tensor, squares: Tensor, centre: Tensor, bandwidth: float, steps: int) -> tuple[Tensor, Tensor]:
    """The centre (D,) after mean shift, and which pixels (P,) are within the bandwidth of it."""
    members = _within(pixels, squares, centre, bandwidth)
    for _ in range(steps):
        centre = members.to(pixels.dtype) @ pixels / members.sum()
        before, members = members, _within(pixels, squares, centre, bandwidth)
        if torch.equal(before, members):
            break
    return centre, members


def nearest_centre(pixels: Tensor, centres: Tensor, radius: float) -> Tensor:
    """For each of (P, D) pixels the number 1..K of the nearest of (K, D) centres, 0 with none within the radius."""
    if not len(centres):
        return torch.zeros(len(pixels), dtype=torch.long, device=pixels.device)
    distance, nearest = torch.cdist(pixels, centres).min(1)
    return torch.where(distance <= radius, nearest + 1, 0)


def _within(pixels: Tensor, squares: Tensor, centre: Tensor, radius: float) -> Tensor:
    """|x - c|² ≤ r², multiplied out: one product of matrix and vector, many times faster than the differences."""
    return squares - 2 * (pixels @ centre) <= radius**2 - centre @ centre
