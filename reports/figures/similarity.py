"""Figure 5: similarity of the queries, and masks that similar queries predict."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from benchmarks.figures.facts import RowFacts, Similarity, SimilarityView, SimilarMasks
from benchmarks.figures.store import FigureData
from reports.figures.canvas import (
    BOLD,
    SMALL,
    TARGET,
    WIDTH,
    Canvas,
    describe_window,
    mark_target,
    outline,
    show,
)

GAP, TITLE, NOTE, BAR = 0.3, 0.22, 0.42, 0.34  # inches
MATRIX, MOST, BESIDE = 2.9, 1.3, 0.05  # inches: side of a matrix, largest side of a mask, gap between masks
COSINE, ACTIVATION = "RdBu_r", "viridis"
LETTERS = "abcdefgh"


def draw(data: FigureData) -> tuple[Canvas, list[str]]:
    """Draw the picture; return it with the sentences that its caption needs beside the specification's."""
    shown, rows = data.facts.shown, data.facts.rows
    assert isinstance(shown, Similarity)
    side = min(MATRIX, (WIDTH - GAP) / len(rows) - GAP)
    masks = shown.masks
    panel = min(MOST, (WIDTH - BESIDE) / (1 + len(masks.queries)) - BESIDE) if masks else 0.0
    bottom = TITLE + side + NOTE + BAR
    canvas = Canvas(bottom + (TITLE + panel + NOTE + BAR if masks else 0.0))
    views = {view.row.row: view for view in shown.views}
    margin = (WIDTH - len(rows) * side - (len(rows) - 1) * GAP) / 2
    for index, row in enumerate(rows):
        left = margin + index * (side + GAP)
        canvas.text(left + side / 2, TITLE / 2, f"({LETTERS[index]}) {row.label}")
        _matrix(canvas, data, row, views.get(row.row), left, side)
    canvas.bar(COSINE, WIDTH / 2 - 1, TITLE + side + NOTE + 0.02, 2, "cosine similarity", ("-1", "1"))
    if masks:
        canvas.text(WIDTH / 2, bottom + TITLE / 2, _masks_title(masks, LETTERS[len(rows)]))
        _masks(canvas, data, masks, bottom + TITLE, panel)
        canvas.bar(ACTIVATION, WIDTH / 2 - 1, canvas.height - BAR + 0.02, 2, "mask probability", ("0", "1"))
    return canvas, _caption(shown)


def _matrix(
    canvas: Canvas, data: FigureData, row: RowFacts, view: SimilarityView | None, left: float, side: float
) -> None:
    if view is None:
        canvas.missing(row, left, TITLE, side, side)
        return
    axes = canvas.axes(left, TITLE, side, side)
    cosine = data.arrays[f"cosine_{row.row}"]
    show(axes, cosine, (len(cosine), len(cosine)), cmap=COSINE, vmin=-1, vmax=1)
    _blocks(axes, view.group_sizes)
    middle = left + side / 2
    canvas.text(middle, TITLE + side + 0.11, f"cosine {_pair(view.within, view.between)}", size=SMALL)
    canvas.text(
        middle, TITLE + side + 0.25, f"soft Dice of masks {_pair(view.mask_within, view.mask_between)}", size=SMALL
    )


def _blocks(axes: Axes, sizes: list[int]) -> None:
    """Draw a square around each group."""
    for size, start in zip(sizes, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True):
        axes.add_patch(Rectangle((start, start), size, size, fill=False, edgecolor="black", linewidth=0.6))


def _pair(within: float | None, between: float | None) -> str:
    if within is None or between is None:
        return "not known: no image has two groups"
    return f"{within:.2f} within groups, {between:.2f} between"


def _masks_title(masks: SimilarMasks, letter: str) -> str:
    shown, size = len(masks.queries), masks.group_size
    which = f"all {size}" if shown == size else f"{shown} of the {size}"
    return f"({letter}) {masks.row.label}: masks of {which} queries of one group"


def _masks(canvas: Canvas, data: FigureData, masks: SimilarMasks, top: float, side: float) -> None:
    truth, target = data.arrays["truth"], masks.target
    size = truth.shape[0], truth.shape[1]
    instance = np.where(truth == target.id, truth, 0)
    columns = 1 + len(masks.queries)
    margin = (WIDTH - columns * side - (columns - 1) * BESIDE) / 2
    for column in range(columns):
        left = margin + column * (side + BESIDE)
        axes = canvas.axes(left, top, side, side)
        if column == 0:
            show(axes, data.arrays["image"], size)
            mark_target(axes, target)
            note = "image"
        else:
            mask = data.arrays[f"mask_{column - 1}"]
            show(axes, mask, size, cmap=ACTIVATION, vmin=0, vmax=1)
            outline(axes, instance, TARGET, BOLD)
            note = "the matched query" if column == 1 else _compared(masks, column - 1)
        canvas.text(left + side / 2, top + side + 0.16, note, size=SMALL)


def _compared(masks: SimilarMasks, place: int) -> str:
    return f"cosine {masks.cosines[place]:.2f}\nmask Dice {masks.dices[place]:.2f}"


def _caption(shown: Similarity) -> list[str]:
    images = ", ".join(dict.fromkeys(str(view.images) for view in shown.views))
    sentences = [
        "Queries of the last layer for one window, in squares of groups as the losses make them: a query that is "
        "matched with an instance, and the unmatched ones that are more similar to it than to any other matched one; "
        "largest group first.",
        f"Below each: mean similarity of two queries of the same and of different groups, of the queries and of their "
        f"soft masks, over the most crowded windows of {images} test images. Groups are made by similarity, so that it "
        "is higher within than between in any model: compare the models.",
        f"Shown: {describe_window(shown.window)}. Chosen by rule: the image whose median PQ over these rows is the "
        f"median of all test images{'' if shown.window.whole else '; of it the training crop with the most objects'}.",
    ]
    if shown.masks:
        sentences.append(
            "The masks are those of a group's matched query and of the queries most similar to it, of the largest "
            "group whose instance the window does not cut if there is one; below each its cosine similarity with the "
            "matched query and the Dice of the two masks at a probability of 0.5. The yellow outline is the instance."
        )
    return sentences
