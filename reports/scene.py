"""An image with its truth, from which the panels of a comparison are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.patches import Patch

from benchmarks.figures.selection import Box
from benchmarks.store.overlays import colour_labels
from reports import panels


@dataclass(frozen=True)
class Scene:
    """An image that all rows segmented, and the window of it that is shown.

    Attributes:
        picture: (H, W, 3) uint8.
        truth: (H, W) int.
        box: rows and columns of the window.
    """

    picture: np.ndarray
    truth: np.ndarray
    box: Box

    @cached_property
    def colours(self) -> np.ndarray:
        """The truth in colours, (H, W, 3) uint8."""
        return colour_labels(self.truth)

    @cached_property
    def truth_colours(self) -> dict[int, np.ndarray]:
        """The colour (3,) of each true object."""
        ids, first = np.unique(self.truth, return_index=True)
        colours = self.colours.reshape(-1, 3)[first]
        return {int(id): colour for id, colour in zip(ids, colours, strict=True) if id > 0}

    def image_panel(self) -> np.ndarray:
        return panels.enlarge(self.picture[self.box])

    def truth_panel(self) -> np.ndarray:
        return panels.truth_panel(self.picture[self.box], self.truth[self.box], self.colours[self.box])

    def prediction_panel(self, prediction: np.ndarray) -> np.ndarray:
        """Draw a prediction (H, W), matched with the truth over the whole image."""
        pairs = panels.matches(self.truth, prediction)
        box = self.box
        return panels.prediction_panel(self.picture[box], self.truth[box], prediction[box], pairs, self.truth_colours)


def error_legend() -> list[Patch]:
    """Explain the fills and outlines of a prediction's panel."""
    red = "#{:02x}{:02x}{:02x}".format(*panels.MISSED)
    return [
        Patch(facecolor="0.6", label="matched, in its truth's colour"),
        Patch(facecolor="none", edgecolor=red, linewidth=1.5, label="missed"),
        Patch(facecolor="black", edgecolor="white", hatch="//////", label="false"),
    ]
