"""What a user may choose for `predict`, and what becomes of what was left to the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from benchmarks.data.normalisation import RANGES, Range
from benchmarks.data.planes.choice import PlaneChoice
from benchmarks.errors import UserError
from benchmarks.store.models.saved_model import SavedModel


@dataclass(frozen=True)
class PredictOptions:
    """What a user may choose for `predict`; it is the same for all images of a folder of results.

    Attributes:
        tile: side of the tiles in pixels; None for the model's training crop.
        overlap: pixels that neighbouring tiles share; None for those of the model's job, at most half a tile.
        flips: let mirrored views vote, whether or not the model's job did.
        min_size: objects of fewer pixels are dropped.
        range: the limits that images are stretched between; None for those of the data the model was trained on,
            which may have no common ones.
        diameter: of the objects, in pixels: images are resized so that it becomes that of the training objects.
            "auto" estimates it for each image; None leaves images as they are.
        invert: show the model dark for bright, for dark objects on a bright ground and a model of bright ones.
        plane: which plane of files that hold several.
    """

    tile: int | None = None
    overlap: int | None = None
    flips: bool = False
    min_size: int = 0
    range: Range | None = None
    diameter: float | Literal["auto"] | None = None
    invert: bool = False
    plane: PlaneChoice = field(default_factory=PlaneChoice)


@dataclass(frozen=True)
class Settings:
    """`PredictOptions` with what the user left to the model."""

    tile: int
    overlap: int
    flips: bool
    min_size: int
    range: Range
    diameter: float | Literal["auto"] | None
    invert: bool

    @classmethod
    def of(cls, saved: SavedModel, asked: PredictOptions) -> Settings:
        """Settle the options of a user for a model.

        Raises:
            UserError: they do not fit together, or the model lacks what they need.
        """
        tile = asked.tile or saved.tile
        overlap = min(saved.testing.overlap, tile // 2) if asked.overlap is None else asked.overlap
        if overlap >= tile:
            raise UserError(f"--overlap {overlap}: expected less than the side of a tile, which is {tile} pixels.")
        flips, limits = asked.flips or saved.testing.flips, asked.range or saved.range
        if limits is None:
            raise UserError(
                "--range: this model was trained on several data sets, some of range=min-max and some of range=robust, "
                f"so it has none of its own. Give `predict` --range {' or '.join(RANGES)}: that of the data set that "
                "your images are most like."
            )
        if asked.diameter is not None and saved.diameter is None:
            raise UserError(
                "--diameter: this model does not know the diameter of the objects it was trained on, as it has no "
                "training or is of an earlier version. Resize the images yourself, or train it again."
            )
        return cls(tile, overlap, flips, asked.min_size, limits, asked.diameter, asked.invert)
