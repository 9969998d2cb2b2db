"""One image of any magnification to its objects, with a saved model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.contract import Scoring
from benchmarks.machine.memory import explaining_lack_of_memory
from benchmarks.metrics import relabel
from benchmarks.plan.settings import WHOLE
from benchmarks.predicting.options import Settings
from benchmarks.predicting.small_images import segment_continued
from benchmarks.predicting.strays import without_strays
from benchmarks.run.cost import count_parameters
from benchmarks.run.prediction import Labelled, segment_with_scores
from benchmarks.store.calibration import DECIMALS
from benchmarks.store.models.saved_model import SavedModel
from benchmarks.tiling import never_whole
from benchmarks.tiling.magnification import (
    estimate_diameter,
    resize_labels,
    resized_shape,
    segment_resized,
)

_NAMED = 5


@dataclass(frozen=True)
class Objects:
    """What was found in an image.

    Attributes:
        labels: (H, W) int32, ids 1..K.
        scores: (K,), or None where the method has none.
        factor: how many times the image was enlarged to be segmented.
    """

    labels: np.ndarray
    scores: np.ndarray | None
    factor: float


@dataclass(frozen=True)
class ImageSegmenter:
    """A saved model with the settings of one call of `predict`."""

    saved: SavedModel
    settings: Settings
    device: str

    @property
    def scored(self) -> bool:
        """Whether its objects have scores."""
        return isinstance(self.saved.segmenter, Scoring)

    def segment(self, path: Path, image: np.ndarray) -> Objects:
        """Find the objects of an image (3, H, W) in [0, 1], at the size that the model knows.

        Stray pieces are cut from them, and those that are too small are left out.

        Args:
            path: what to call the image in errors.

        Raises:
            UserError: it does not fit into memory.
        """
        found = self._all_objects(path, 1 - image if self.settings.invert else image)
        labels, scores = _without_small(without_strays(found.labels), found.scores, self.settings.min_size)
        return replace(found, labels=labels, scores=scores)

    def _all_objects(self, path: Path, image: np.ndarray) -> Objects:
        saved, settings = self.saved, self.settings
        testing = saved.testing.model_copy(update={"flips": settings.flips, "overlap": settings.overlap})
        height, width = image.shape[1:]
        tiles = "whole" if settings.tile == WHOLE else f"in tiles of {settings.tile}"
        with explaining_lack_of_memory(
            f"{path}: segmenting its {height}×{width} pixels {tiles}",
            "Take a smaller --tile, or cut the image into parts.",
        ):

            def segment_as_is(pixels: np.ndarray) -> Labelled:
                return segment_with_scores(
                    saved.segmenter, pixels, settings.tile, testing, self.device, saved.precision, chains=True
                )

            def segment(pixels: np.ndarray) -> Labelled:
                if not count_parameters(saved.segmenter):  # no network, which fills images up
                    return segment_as_is(pixels)
                return segment_continued(segment_as_is, pixels, settings.tile)

            if settings.diameter is None:
                return Objects(*segment(image), 1.0)
            diameter = settings.diameter
            if diameter == "auto":
                diameter = estimate_diameter(segment, image, self._trained) or self._trained
            factor = self._trained / diameter
            return Objects(*segment_resized(segment, image, factor), factor)

    @property
    def _trained(self) -> float:
        """The diameter that the model knows."""
        assert self.saved.diameter is not None, "the settings were checked"
        return self.saved.diameter

    def size_notes(self, path: Path, found: Objects) -> list[str]:
        """Say how an image was resized where that was estimated, and which objects no tile has seen whole."""
        seen = resize_labels(found.labels, resized_shape(found.labels.shape, found.factor))
        cut = _cut_notes(path, seen, self.settings.tile, self.settings.overlap)
        if self.settings.diameter != "auto" or found.factor == 1:
            return cut
        about = self._trained / found.factor
        return [f"{path}: resized by {found.factor:.2f}, as its objects are some {about:.0f} pixels wide.", *cut]


def _cut_notes(path: Path, labels: np.ndarray, tile: int, overlap: int) -> list[str]:
    """Name the objects that no tile has seen whole, the largest first."""
    cut = sorted(never_whole(labels, tile=tile, overlap=overlap), key=lambda one: -max(one.height, one.width))
    if not cut:
        return []
    named = ", ".join(f"{one.id} ({one.height} x {one.width})" for one in cut[:_NAMED])
    more = f" and {len(cut) - _NAMED} more" if len(cut) > _NAMED else ""
    return [
        f"{path}: no tile of {tile} pixels has seen these objects whole (id, height x width): {named}{more}. They "
        f"are joined from parts, or are parts. An --overlap above their size ({overlap} now) or a larger --tile helps."
    ]


def _without_small(labels: np.ndarray, scores: np.ndarray | None, min_size: int) -> Labelled:
    """Remove small objects with their scores, which are rounded to what is stored of them."""
    if scores is not None:
        scores = np.round(scores[np.bincount(labels.ravel())[1:] >= min_size], DECIMALS)
    return drop_small(labels, min_size), scores


def drop_small(labels: np.ndarray, min_size: int) -> np.ndarray:
    """Remove objects of fewer than `min_size` pixels from (H, W) labels 0..K and renumber without gaps."""
    areas = np.bincount(labels.ravel())
    areas[0] = max(areas[0], min_size)
    return relabel(np.where(areas[labels] >= min_size, labels, 0))[0].astype(np.int32)
