"""Segmentation of an image of any size with a model that was trained on crops of one size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.errors import UserError
from benchmarks.metrics import relabel
from benchmarks.tiling.flips import segment_views, vote
from benchmarks.tiling.grid import Tile, tile_grid
from benchmarks.tiling.stitch import Stitcher

Segment = Callable[[Tensor], Tensor]


@torch.inference_mode()
def segment_image(
    segment: Segment,
    image: np.ndarray | Tensor,
    *,
    tile: int,
    overlap: int,
    batch_size: int = 4,
    flips: bool = False,
    chains: bool = False,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Segment an image: whole if it fits a tile, else in overlapping tiles that are stitched.

    All tiles are tile×tile: a shorter axis is extended by reflection, and the result is cut back.
    Objects no larger than the overlap are seen whole by at least one tile. Beside the label map, only
    `batch_size` tiles are in memory, so `image` may be a memory map.

    Args:
        segment: (B, 3, h, w) float32 on `device` to (B, h, w) integers, 0 background, ids 1..K per image.
        image: (3, H, W), values in [0, 1].
        tile: side of a tile in pixels, the crop the model was trained on.
        overlap: pixels that neighbouring tiles share at least; below `tile`.
        batch_size: number of tiles segmented at once.
        flips: whether to segment each tile as it is, mirrored, upside down and both, and let the four results vote.
        chains: whether an object longer than the overlap may be joined from more than two parts; see `Stitcher`.
        device: where `segment` computes.

    Returns:
        (H, W) int32, 0 background, ids 1..K without gaps.

    Raises:
        UserError: the image is not (3, H, W) or empty, or a size is out of range.
        ValueError: `segment` returns another shape.
    """
    if len(image.shape) != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise UserError(f"an image has shape {tuple(image.shape)}: (3, height, width) was expected")
    if tile < 1 or not 0 <= overlap < tile:
        raise UserError(f"tile {tile} with overlap {overlap}: expected 0 ≤ overlap < tile, in pixels")
    if batch_size < 1:
        raise UserError(f"batch size {batch_size}: expected at least 1")
    height, width = image.shape[1:]
    if height <= tile and width <= tile:
        whole = _pixels(image, Tile(0, 0, height, width, seen_rows=0, seen_columns=0))
        labels = _segment_batch(segment, whole[None], flips, device)[0]
        return relabel(labels)[0].astype(np.int32)
    stitcher = Stitcher(height, width, chains=chains)
    tiles = tile_grid(height, width, tile, overlap)
    for start in range(0, len(tiles), batch_size):
        batch = tiles[start : start + batch_size]
        crops = np.stack([_extended(_pixels(image, place), tile) for place in batch])
        for place, labels in zip(batch, _segment_batch(segment, crops, flips, device), strict=True):
            stitcher.add(labels[: place.bottom - place.top, : place.right - place.left], place)
    return stitcher.finish()


def _pixels(image: np.ndarray | Tensor, tile: Tile) -> np.ndarray:
    crop = image[:, tile.top : tile.bottom, tile.left : tile.right]
    return np.array(crop.numpy(force=True) if isinstance(crop, Tensor) else crop, dtype=np.float32, order="C")


def _extended(crop: np.ndarray, tile: int) -> np.ndarray:
    """Extend a crop (3, h, w) to (3, tile, tile) by reflection, downwards and to the right."""
    return np.pad(crop, ((0, 0), (0, tile - crop.shape[1]), (0, tile - crop.shape[2])), mode="reflect")


def _segment_batch(segment: Segment, crops: np.ndarray, flips: bool, device: str | torch.device) -> list[np.ndarray]:
    """Segment (B, 3, h, w) crops; return B label maps (h, w)."""
    images = torch.from_numpy(crops).to(device)
    views = segment_views(segment, images) if flips else [segment(images)]
    expected = (len(crops), *crops.shape[2:])
    if tuple(views[0].shape) != expected:
        raise ValueError(f"the method returned labels of shape {tuple(views[0].shape)}, expected {expected}")
    arrays = [view.cpu().numpy() for view in views]
    return [vote(list(maps)) for maps in zip(*arrays, strict=True)] if flips else list(arrays[0])
