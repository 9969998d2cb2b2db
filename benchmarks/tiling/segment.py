"""Segmentation of an image of any size with a model that was trained on crops of one size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.errors import UserError
from benchmarks.metrics import relabel
from benchmarks.tiling.flips import segment_views, vote, vote_with_confidence
from benchmarks.tiling.grid import Tile, tile_grid
from benchmarks.tiling.scores import mean_by_object
from benchmarks.tiling.stitch import Stitcher

Segment = Callable[[Tensor], Tensor]
SegmentWithConfidence = Callable[[Tensor], tuple[Tensor, Tensor]]
_AnySegment = Callable[[Tensor], tuple[Tensor, Tensor | None]]
_Maps = tuple[np.ndarray, np.ndarray | None]
"""Label map and confidence (h, w), None where the method has none."""


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
    return _segment_image(
        lambda images: (segment(images), None), image, tile, overlap, batch_size, flips, chains, device
    )[0]


def segment_image_with_scores(
    segment: SegmentWithConfidence,
    image: np.ndarray | Tensor,
    *,
    tile: int,
    overlap: int,
    batch_size: int = 4,
    flips: bool = False,
    chains: bool = False,
    device: str | torch.device = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """Segment an image into the very label map of `segment_image`, and score its objects.

    The score of an object is the mean over its pixels of the confidence that they were painted with: for one that was
    stitched from several tiles, the mean of its parts, weighted by their areas. With `flips`, a pixel's confidence is
    the mean over the four views, in which a view that does not give it to the object counts 0.

    Args:
        segment: (B, 3, h, w) float32 on `device` to (B, h, w) integers, 0 background, ids 1..K per image, and
            (B, h, w) float in [0, 1], as `benchmarks.contract.Scoring` has it.
        image, tile, overlap, batch_size, flips, chains, device: as of `segment_image`. A map of confidence as large as
            the label map is in memory as well.

    Returns:
        (H, W) int32, 0 background, ids 1..K without gaps, and (K,) float64 in [0, 1].

    Raises:
        UserError, ValueError: as `segment_image`; ValueError also where confidence is not in [0, 1].
    """
    labels, confidence = _segment_image(segment, image, tile, overlap, batch_size, flips, chains, device)
    assert confidence is not None, "every tile says how sure it is"
    return labels, mean_by_object(labels, confidence)


@torch.inference_mode()
def _segment_image(
    segment: _AnySegment,
    image: np.ndarray | Tensor,
    tile: int,
    overlap: int,
    batch_size: int,
    flips: bool,
    chains: bool,
    device: str | torch.device,
) -> _Maps:
    if len(image.shape) != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise UserError(f"an image has shape {tuple(image.shape)}: (3, height, width) was expected")
    if tile < 1 or not 0 <= overlap < tile:
        raise UserError(f"tile {tile} with overlap {overlap}: expected 0 ≤ overlap < tile, in pixels")
    if batch_size < 1:
        raise UserError(f"batch size {batch_size}: expected at least 1")
    height, width = image.shape[1:]
    if height <= tile and width <= tile:
        whole = _pixels(image, Tile(0, 0, height, width, seen_rows=0, seen_columns=0))
        ((labels, confidence),) = _segment_batch(segment, whole[None], flips, device)
        return relabel(labels)[0].astype(np.int32), confidence
    stitcher = Stitcher(height, width, chains=chains)
    tiles = tile_grid(height, width, tile, overlap)
    for start in range(0, len(tiles), batch_size):
        batch = tiles[start : start + batch_size]
        crops = np.stack([_extended(_pixels(image, place), tile) for place in batch])
        for place, (labels, confidence) in zip(batch, _segment_batch(segment, crops, flips, device), strict=True):
            inside = slice(place.bottom - place.top), slice(place.right - place.left)
            stitcher.add(labels[inside], place, None if confidence is None else confidence[inside])
    return stitcher.finish(), stitcher.confidence


def _pixels(image: np.ndarray | Tensor, tile: Tile) -> np.ndarray:
    crop = image[:, tile.top : tile.bottom, tile.left : tile.right]
    return np.array(crop.numpy(force=True) if isinstance(crop, Tensor) else crop, dtype=np.float32, order="C")


def _extended(crop: np.ndarray, tile: int) -> np.ndarray:
    """Extend a crop (3, h, w) to (3, tile, tile) by reflection, downwards and to the right."""
    return np.pad(crop, ((0, 0), (0, tile - crop.shape[1]), (0, tile - crop.shape[2])), mode="reflect")


def _segment_batch(segment: _AnySegment, crops: np.ndarray, flips: bool, device: str | torch.device) -> list[_Maps]:
    """Segment (B, 3, h, w) crops; return the B label maps with their confidence."""
    images = torch.from_numpy(crops).to(device)
    views = segment_views(segment, images) if flips else [segment(images)]
    expected = (len(crops), *crops.shape[2:])
    for maps, of in zip(views[0], ("labels", "confidence"), strict=True):
        if maps is not None and tuple(maps.shape) != expected:
            raise ValueError(f"the method returned {of} of shape {tuple(maps.shape)}, expected {expected}")
    labels = [maps.cpu().numpy() for maps, _ in views]
    confidence = [sure.float().cpu().numpy() for _, sure in views if sure is not None]
    return [
        _combined([view[place] for view in labels], [view[place] for view in confidence]) for place in range(len(crops))
    ]


def _combined(labels: list[np.ndarray], confidence: list[np.ndarray]) -> _Maps:
    """Let the views of an image vote; one alone decides."""
    if len(labels) == 1:
        return labels[0], confidence[0] if confidence else None
    return vote_with_confidence(labels, confidence) if confidence else (vote(labels), None)
