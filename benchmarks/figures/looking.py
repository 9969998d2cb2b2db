"""Trained models of a figure's rows, and what they see in a part of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.contract import Inspectable
from benchmarks.data import Dataset
from benchmarks.errors import UserError
from benchmarks.figures.facts import RowFacts, Window
from benchmarks.figures.selection import Box, by_difficulty, crowded_window
from benchmarks.figures.sources import Source
from benchmarks.figures.specification import FigureSpec
from benchmarks.plan.methods import get_method
from benchmarks.run.prediction import segment_sample
from benchmarks.store.saved_model import SavedModel, load_model
from pctrans.inspection import Inspection


@dataclass(frozen=True)
class Request:
    """What a figure is computed from.

    Attributes:
        sources: its rows, at least one of them finished.
        split: the images that the jobs were tested on.
        tile: side in pixels of the windows that models are shown, as in testing.
    """

    spec: FigureSpec
    sources: list[Source]
    dataset: Dataset
    split: str
    tile: int
    device: str


@dataclass(frozen=True)
class Scene:
    """A window of a test image with its truth.

    Attributes:
        image: (3, h, w) float32 in [0, 1].
        truth: (h, w) int, the ids of the whole image.
    """

    window: Window
    image: np.ndarray
    truth: np.ndarray

    @property
    def objects(self) -> int:
        """True instances in the window, also cut ones."""
        return int(np.count_nonzero(np.unique(self.truth)))


@dataclass(frozen=True)
class OpenRow:
    """A row and its model; without a model, the facts say why."""

    facts: RowFacts
    model: SavedModel | None

    def without(self, reason: str) -> OpenRow:
        """The row as one that is not shown."""
        return OpenRow(self.facts.model_copy(update={"reason": reason}), None)

    @property
    def network(self) -> Inspectable:
        assert self.model is not None and isinstance(self.model.segmenter, Inspectable), "only rows with one are asked"
        return self.model.segmenter


def open_rows(request: Request) -> list[OpenRow]:
    """Each row, with its model where that can be looked into."""
    return [_open(source, request.device) for source in request.sources]


def _open(source: Source, device: str) -> OpenRow:
    row = OpenRow(source.facts, None)
    if not source.done:
        return row
    try:
        model = load_model(source.folder.model, device)
    except UserError as error:
        return row.without(str(error))
    if not isinstance(model.segmenter, Inspectable):
        return row.without(f"{get_method(model.method).title} has no queries to look into")
    return OpenRow(source.facts, model)


def typical_scene(request: Request) -> Scene:
    """The most crowded window of the test image of middling difficulty, as large as a tile.

    Raises:
        UserError: no test image with objects was scored by every finished row.
    """
    images = by_difficulty([source.scores for source in request.sources if source.done], 1)
    if not images:
        raise UserError(f"{request.spec.name}: no test image with objects was scored by every row that is finished.")
    return window_of_most(request.dataset, images[0], request.tile)


def crowded_test_scene(request: Request) -> Scene:
    """The window as large as a tile that holds the most objects of all windows of all test images."""
    scenes = [window_of_most(request.dataset, image, request.tile) for image in request.dataset.ids(request.split)]
    return max(scenes, key=lambda scene: scene.objects)  # of equals the first


def window_of_most(dataset: Dataset, image: str, side: int) -> Scene:
    """The window of at most `side` by `side` pixels that holds the most centres of objects."""
    sample = dataset.load(image)
    assert sample.labels is not None, "a split that is evaluated has truth"
    box = crowded_window(sample.labels, side)
    return Scene(window_facts(image, box, sample.labels.shape), sample.image[:, *box], sample.labels[box])


def window_facts(image: str, box: Box, shape: tuple[int, ...]) -> Window:
    rows, columns = box
    whole = (rows.stop - rows.start, columns.stop - columns.start) == shape
    return Window(image=image, top=rows.start, left=columns.start, bottom=rows.stop, right=columns.stop, whole=whole)


def look(row: OpenRow, image: np.ndarray, device: str) -> Inspection:
    """What the row's queries see in an image (3, h, w), computed as the job tests; on the CPU, without the batch."""
    assert row.model is not None, "only rows with one are asked"
    pixels = torch.from_numpy(np.array(image, np.float32))[None].to(device)
    low = row.model.precision == "bfloat16"
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=low):
        return row.network.inspect(pixels).of_image(0)


def segment(row: OpenRow, image: np.ndarray, device: str) -> np.ndarray:
    """The row's label map (h, w) of an image (3, h, w) no larger than a tile."""
    assert row.model is not None, "only rows with one are asked"
    model = row.model
    return segment_sample(model.segmenter, image, model.tile, model.testing, device, model.precision)


def enlarged(maps: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Maps (h, w, ...) with every cell as a square of `stride` pixels, cut to `size`."""
    return maps.repeat(stride, axis=0).repeat(stride, axis=1)[: size[0], : size[1]]


def soft_mask(logits: Tensor, stride: int, size: tuple[int, int]) -> np.ndarray:
    """One query's mask probability (*size) float32 from its logits (h, w), interpolated as for segmentation."""
    soft = torch.nn.functional.interpolate(
        logits.sigmoid()[None, None], scale_factor=stride, mode="bilinear", align_corners=False
    )
    return soft[0, 0, : size[0], : size[1]].numpy().astype(np.float32)
