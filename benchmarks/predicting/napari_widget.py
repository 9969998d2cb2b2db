"""`predict` on a layer of napari, which makes the widget of the parameters (napari.yaml) and is not needed here."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.data.normalisation import grey_if_equal, normalise
from benchmarks.errors import UserError
from benchmarks.machine.environment import choose_device
from benchmarks.predicting.options import PredictOptions, Settings
from benchmarks.predicting.segmenting import ImageSegmenter
from benchmarks.store.models.saved_model import SavedModel, find_model, load_model
from pctrans.pretrained import model_path

if TYPE_CHECKING:
    import napari.types

_LAYER = "The image layer"


def segment_layer(
    image: napari.types.ImageData, model: str = "nuclei", diameter: float = 0.0, invert: bool = False
) -> napari.types.LabelsData:
    """Segment an image as `pctrans-bench predict` does with these options.

    Args:
        image: (H, W), or (H, W, 3) or (H, W, 4) in colour, alpha last; any integer or float type.
        model: the name of one that comes with the package, or the folder of a trained one.
        diameter: of the objects, in pixels; 0 leaves the image at its size.
        invert: for dark objects on a bright ground and a model of bright ones.

    Returns:
        (H, W) int32, 0 background, ids 1..K.

    Raises:
        UserError: the layer is no single plane, or there is no such model.
    """
    folder = find_model(model_path(model)).resolve()
    written = tuple(file.stat().st_mtime_ns for file in sorted(folder.glob("*.*")))
    saved = _loaded(folder, written)
    settings = Settings.of(saved, PredictOptions(diameter=diameter or None, invert=invert))
    pixels = normalise(_plane(np.asarray(image)), _LAYER, settings.range)
    return ImageSegmenter(saved, settings, choose_device("auto")).segment(Path(_LAYER), pixels).labels


@lru_cache(maxsize=1)
def _loaded(folder: Path, written: tuple[int, ...]) -> SavedModel:
    """The model of a folder whose files were last written at these times."""
    return load_model(folder, choose_device("auto"))


def _plane(array: np.ndarray) -> np.ndarray:
    if array.ndim == 2:
        return array
    if array.ndim == 3 and array.shape[-1] in (3, 4):
        return grey_if_equal(array[..., :3])
    raise UserError(
        f"{_LAYER} has the shape {array.shape}: expected one plane, (height, width) or with 3 or 4 colours last. "
        "Make a layer of the plane first (Layers > Slice, or a projection)."
    )
