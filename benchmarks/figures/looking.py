"""Look into the trained models of a figure's rows: what they see in a part of an image."""

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
from benchmarks.machine.precision import computing_in
from benchmarks.plan.methods import get_method
from benchmarks.run.prediction import segment_sample
from benchmarks.store.models.saved_model import SavedModel, load_model
from pctrans.inspection import Inspection


@dataclass(frozen=True)
class Request:
    """A request to compute a figure.

    Attributes:
        sources: the figure's rows, at least one of them finished.
        split: the split that the jobs were tested on.
        tile: side in pixels of the windows that models see, as in testing.
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
        """The number of true instances in the window, cut ones included."""
        return int(np.count_nonzero(np.unique(self.truth)))


@dataclass(frozen=True)
class OpenRow:
    """A row and its model; without a model, the facts say why."""

    facts: RowFacts
    model: SavedModel | None

    def without(self, reason: str) -> OpenRow:
        """Mark the row as not shown, for this reason."""
        return OpenRow(self.facts.model_copy(update={"reason": reason}), None)

    @property
    def network(self) -> Inspectable:
        assert self.model is not None and isinstance(self.model.segmenter, Inspectable), "only rows with one are asked"
        return self.model.segmenter


def open_rows(request: Request) -> list[OpenRow]:
    """Open each row, with its model where that can be looked into."""
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
    """Take the most crowded window, as large as a tile, of the test image of middling difficulty.

    Raises:
        UserError: no test image with objects was scored by every finished row.
    """
    images = by_difficulty([source.scores for source in request.sources if source.done], 1)
    if not images:
        raise UserError(f"{request.spec.name}: no test image with objects was scored by every row that is finished.")
    return window_of_most(request.dataset, images[0], request.tile)


def crowded_test_scene(request: Request) -> Scene:
    """Take the window as large as a tile that holds the most objects of all windows of all test images."""
    scenes = [window_of_most(request.dataset, image, request.tile) for image in request.dataset.ids(request.split)]
    return max(scenes, key=lambda scene: scene.objects)  # the first of equals


def window_of_most(dataset: Dataset, image: str, side: int) -> Scene:
    """Take the window of at most `side` by `side` pixels of an image that holds the most centres of objects."""
    sample = dataset.load(image)
    truth = sample.objects
    box = crowded_window(truth, side)
    return Scene(window_facts(image, box, truth.shape), sample.image[:, *box], truth[box])


def window_facts(image: str, box: Box, shape: tuple[int, ...]) -> Window:
    rows, columns = box
    whole = (rows.stop - rows.start, columns.stop - columns.start) == shape
    return Window(image=image, top=rows.start, left=columns.start, bottom=rows.stop, right=columns.stop, whole=whole)


def look(row: OpenRow, image: np.ndarray, device: str) -> Inspection:
    """Inspect what the row's queries see in an image (3, h, w), computed as in testing.

    The result is on the CPU and without the batch dimension.
    """
    assert row.model is not None, "only rows with one are asked"
    pixels = torch.from_numpy(np.array(image, np.float32))[None].to(device)
    with computing_in(row.model.precision, device):
        return row.network.inspect(pixels).of_image(0)


def segment(row: OpenRow, image: np.ndarray, device: str) -> np.ndarray:
    """Segment an image (3, h, w) no larger than a tile with the row's model into a label map (h, w)."""
    assert row.model is not None, "only rows with one are asked"
    model = row.model
    return segment_sample(model.segmenter, image, model.tile, model.testing, device, model.precision)


def enlarged(maps: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Enlarge every cell of maps (h, w, ...) to a square of `stride` pixels, and cut the maps to `size`."""
    return maps.repeat(stride, axis=0).repeat(stride, axis=1)[: size[0], : size[1]]


def soft_mask(logits: Tensor, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Compute one query's mask probability (*size) float32 from its logits (h, w), enlarged as in segmentation."""
    enlarged = torch.nn.functional.interpolate(
        logits[None, None].float(), scale_factor=stride, mode="bilinear", align_corners=False
    )
    return enlarged.sigmoid()[0, 0, : size[0], : size[1]].numpy().astype(np.float32)
