"""Paste the small masks of detections into one label map, best first."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.maskrcnn.config import MaskRCNNInference
from pctrans.images import confidence_of, drop_small


def paint_detections(
    masks: Tensor, boxes: Tensor, scores: Tensor, size: tuple[int, int], settings: MaskRCNNInference
) -> tuple[Tensor, Tensor]:
    """Give each pixel to the best detection whose mask covers it.

    A detection left with less than `visible_share` of its mask by better ones is dropped, and then covers nothing.

    Args:
        masks: (K, M, M) probabilities inside the boxes, best first.
        boxes: (K, 4), left, top, right and bottom in pixels.
        scores: (K,) in [0, 1].

    Returns:
        Labels (*size) int64, 0 background, ids 1..K' in the order of the detections; and (*size) float, the score of
        the detection that has the pixel, else 0.
    """
    labels = torch.zeros(size, dtype=torch.long, device=masks.device)
    for number, (mask, box) in enumerate(zip(masks, boxes.tolist(), strict=True), 1):
        rows, columns, values = paste(mask, box, size)
        inside = values > settings.mask_threshold
        here = labels[rows, columns]
        free = inside & (here == 0)
        area, visible = torch.stack((inside.sum(), free.sum())).tolist()
        if area and visible >= settings.visible_share * area:
            labels[rows, columns] = torch.where(free, number, here)
    return drop_small(labels, settings.min_area), confidence_of(labels, scores)


def paste(mask: Tensor, box: list[float], size: tuple[int, int]) -> tuple[slice, slice, Tensor]:
    """Resize a mask (M, M) to the pixels whose centres its box holds, as the inverse of how torchvision made the truth.

    There, a position in a box is the index of a pixel: pixel 3 is at 3, not at 3.5. Torchvision's own pasting rounds
    boxes to whole pixels instead, which shifts the outlines of small objects by up to one.

    Args:
        box: left, top, right and bottom in pixels.

    Returns:
        The rows and columns of the image of `size`, and the values there, bilinear between the cells of the mask.
    """
    left, top, right, bottom = box
    rows, columns = _covered(top, bottom, size[0]), _covered(left, right, size[1])
    y = _positions(rows, top, bottom, mask.device)
    x = _positions(columns, left, right, mask.device)
    grid = torch.stack((x.expand(len(y), -1), y[:, None].expand(-1, len(x))), dim=-1)
    if not grid.numel():
        return rows, columns, mask.new_zeros(grid.shape[:2])
    values = F.grid_sample(mask[None, None], grid[None], padding_mode="border", align_corners=False)
    return rows, columns, values[0, 0]


def _covered(first: float, last: float, size: int) -> slice:
    """Pixels of a row or column whose centres lie between two places."""
    start = min(max(math.ceil(first - 0.5), 0), size)
    return slice(start, max(min(math.floor(last - 0.5) + 1, size), start))


def _positions(pixels: slice, first: float, last: float, device: torch.device) -> Tensor:
    """Where pixels lie between the edges of a box, -1 and 1."""
    index = torch.arange(pixels.start, pixels.stop, device=device, dtype=torch.float32)
    return 2 * (index - first) / max(last - first, 1e-6) - 1
