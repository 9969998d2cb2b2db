"""A page measured in inches from its upper left corner, and the parts that all figures share."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.patheffects import AbstractPathEffect, withStroke

from benchmarks.figures.facts import QueryFacts, RowFacts, TargetFacts, Window
from benchmarks.files import atomic_path

DPI = 300
WIDTH = 7.0  # inches: a page of two columns
FONT, SMALL = 7.5, 6.5  # points
TARGET = "#ffd60a"
OTHER = "#ff5a36"  # instances that a mask takes in beside its target
GREY = "0.92"
BOLD = 0.7  # points: outlines this wide or wider are bold


class Canvas:
    """A figure without pyplot's global state."""

    def __init__(self, height: float, width: float = WIDTH) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), dpi=DPI)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes without ticks at a place in inches."""
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(box)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def text(
        self, x: float, y: float, text: str, *, size: float = FONT, align: str = "center", bold: bool = False,
        rotation: float = 0,
    ) -> None:  # fmt: skip
        """Write text at a place in inches: that of its middle or, by `align`, of its left or right end."""
        self.figure.text(
            x / self.width, 1 - y / self.height, text, fontsize=size, ha=align, va="center", rotation=rotation,
            fontweight="bold" if bold else "normal", linespacing=1.15, parse_math=False,
        )  # fmt: skip

    def missing(self, row: RowFacts, left: float, top: float, width: float, height: float) -> None:
        """Fill the place of a row's panels with the reason why there are none."""
        axes = self.axes(left, top, width, height)
        axes.set_facecolor(GREY)
        lines = textwrap.wrap(str(row.reason), max(12, int(18 * width)))
        text = "\n".join(lines[:6])
        axes.text(0.5, 0.5, text, fontsize=SMALL, ha="center", va="center", transform=axes.transAxes, parse_math=False)

    def bar(self, colours: str, left: float, top: float, width: float, label: str, ends: tuple[str, str]) -> None:
        """Draw a horizontal bar of a colour map, with texts at its two ends and a label between them."""
        axes = self.axes(left, top, width, 0.07)
        axes.imshow(np.linspace(0, 1, 256)[None], aspect="auto", cmap=colours)
        self.text(left, top + 0.14, ends[0], size=SMALL, align="left")
        self.text(left + width / 2, top + 0.14, label, size=SMALL)
        self.text(left + width, top + 0.14, ends[1], size=SMALL, align="right")

    def legend(self, handles: Sequence[Artist], middle: float, x: float) -> None:
        """Draw the legend on one line, its middle at a place in inches."""
        self.figure.legend(
            handles=handles, loc="center", bbox_to_anchor=(x / self.width, 1 - middle / self.height),
            ncols=len(handles), fontsize=SMALL, frameon=False, handlelength=1.6, columnspacing=1.5,
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the format that the suffix names; the same picture gives the same file."""
        metadata = {"Software": None} if path.suffix == ".png" else {"CreationDate": None}
        with atomic_path(path) as temporary:
            self.figure.savefig(temporary, metadata=metadata)


def show(axes: Axes, array: np.ndarray, size: tuple[int, int], **options: object) -> AxesImage:
    """Show an array over a window of `size` (height, width) pixels, whose coordinates the axes take."""
    height, width = size
    image = axes.imshow(array, extent=(0, width, height, 0), interpolation="nearest", **options)  # type: ignore[arg-type]
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return image


def mark_target(axes: Axes, target: TargetFacts, margin: float = 2.0) -> None:
    """Draw a dashed yellow box around an instance, inside the axes, legible on dark and on light."""
    (_, width), (height, _) = axes.get_xlim(), axes.get_ylim()
    left, top = max(target.left - margin, 0), max(target.top - margin, 0)
    right, bottom = min(target.right + margin, width), min(target.bottom + margin, height)
    box = Rectangle(
        (left, top), right - left, bottom - top, fill=False, edgecolor=TARGET, linewidth=1.0, linestyle=(0, (3, 1.5)),
        clip_on=False, path_effects=[withStroke(linewidth=2.0, foreground="black")],
    )  # fmt: skip
    axes.add_patch(box)


def outline(axes: Axes, labels: np.ndarray, colour: str, width: float) -> None:
    """Outline the instances of a map (h, w), each by itself, so that touching ones keep their common border.

    Bold outlines have a black seam, to be legible on masks of their own colour.
    """
    seam: list[AbstractPathEffect] = [withStroke(linewidth=width + 0.8, foreground="black")] if width >= BOLD else []
    for id in np.unique(labels[labels > 0]):
        mask = np.pad(labels == id, 1).astype(float)
        places = np.arange(-1, max(mask.shape) - 1) + 0.5
        lines = axes.contour(
            places[: mask.shape[1]], places[: mask.shape[0]], mask, levels=[0.5], colors=[colour], linewidths=[width]
        )
        lines.set_path_effects(seam)


def describe_window(window: Window) -> str:
    """Name the image and the place of the window in it."""
    if window.whole:
        return f"test image {window.image}"
    return (
        f"test image {window.image}, rows {window.top} to {window.bottom - 1}, columns {window.left} to "
        f"{window.right - 1}"
    )


def how_chosen(window: Window, targets: int) -> str:
    """Explain the rules of `benchmarks.figures.selection` by which image, window and targets were chosen."""
    who = "target is the instance" if targets == 1 else f"{targets} targets are the instances, no two neighbours,"
    return (
        f"Shown: {describe_window(window)}. Chosen by rule: of all windows of all test images that are as large as a "
        f"training crop, the one that holds the most objects; the {who} whose surroundings other instances cover most, "
        "of those that are whole and at least half as large as the median."
    )


def fit(query: QueryFacts, target: TargetFacts) -> str:
    """Say how well a query's mask fits its target, and how many other objects it takes in."""
    others = len(set(query.covered) - {target.id})
    more = f", {others} more object{'s' if others > 1 else ''}" if others else ""
    return f"Dice {query.dice:.2f}{more}"
