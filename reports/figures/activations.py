"""Figure 1: pixel embeddings, attention weights, activation map and errors, a line of panels for each method."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.figures.facts import Activations, ActivationView
from benchmarks.figures.store import FigureData
from reports.figures.canvas import SMALL, WIDTH, Canvas, fit, how_chosen, mark_target, show
from reports.scene import Scene, error_legend

LEFT, GAP, TITLE, NOTE, BOTTOM = 0.2, 0.05, 0.22, 0.16, 0.62  # inches
PANEL = (WIDTH - LEFT - 5 * GAP - 0.12) / 5
TITLES = ("", "(a) pixel embeddings", "(b) attention weights", "(c) activation map", "(d) segmentation")
WEIGHTS, ACTIVATION = "magma", "viridis"


def draw(data: FigureData) -> tuple[Canvas, list[str]]:
    """Draw the picture; return it with the sentences that its caption needs beside the specification's."""
    shown = data.facts.shown
    assert isinstance(shown, Activations)
    rows = data.facts.rows
    lines = max(2, len(rows) * len(shown.targets))
    canvas = Canvas(TITLE + lines * (PANEL + NOTE) + BOTTOM)
    for column, title in enumerate(TITLES):
        canvas.text(_left(column) + PANEL / 2, TITLE / 2, title)
    scene = _scene(data)
    _inputs(canvas, shown, scene)
    views = {view.row.row: view for view in shown.views}
    for target in range(len(shown.targets)):
        for index, row in enumerate(rows):
            top = _top(target * len(rows) + index)
            canvas.text(_left(1) - 0.1, top + PANEL / 2, row.label, rotation=90, bold=True)
            if row.row in views:
                _line(canvas, data, views[row.row], target, scene, top)
            else:
                canvas.missing(row, _left(1), top, 4 * PANEL + 3 * GAP, PANEL)
    _legend(canvas, TITLE + lines * (PANEL + NOTE))
    return canvas, _caption(shown)


def _left(column: int) -> float:
    return GAP + column * (PANEL + GAP) + (LEFT if column else 0)


def _top(line: int) -> float:
    return TITLE + line * (PANEL + NOTE)


def _scene(data: FigureData) -> Scene:
    truth = data.arrays["truth"]
    return Scene(data.arrays["image"], truth, (slice(0, truth.shape[0]), slice(0, truth.shape[1])))


def _inputs(canvas: Canvas, shown: Activations, scene: Scene) -> None:
    """Draw the image, and below it the truth."""
    size = scene.truth.shape[0], scene.truth.shape[1]
    for line, (panel, note) in enumerate(((scene.image_panel(), "image"), (scene.truth_panel(), "truth"))):
        axes = canvas.axes(_left(0), _top(line), PANEL, PANEL)
        show(axes, panel, size)
        for target in shown.targets:
            mark_target(axes, target)
        canvas.text(_left(0) + PANEL / 2, _top(line) + PANEL + NOTE / 2, note, size=SMALL)


def _line(canvas: Canvas, data: FigureData, view: ActivationView, place: int, scene: Scene, top: float) -> None:
    shown, number = data.facts.shown, view.row.row
    assert isinstance(shown, Activations)
    target, query = shown.targets[place], view.queries[place]
    weights = data.arrays[f"attention_{number}_{place}"]
    panels: tuple[tuple[np.ndarray, dict[str, Any], str], ...] = (
        (data.arrays[f"embedding_{number}"], {}, f"{sum(view.explained):.0%} of the variance"),
        (weights, {"cmap": WEIGHTS, "vmin": 0, "vmax": weights.max()}, f"at most {weights.max():.2g}"),
        (
            data.arrays[f"activation_{number}_{place}"],
            {"cmap": ACTIVATION, "vmin": 0, "vmax": 1},
            fit(query, target),
        ),
        (scene.prediction_panel(data.arrays[f"prediction_{number}"]), {}, f"PQ {view.pq:.2f}"),
    )
    for column, (array, options, note) in enumerate(panels, 1):
        axes = canvas.axes(_left(column), top, PANEL, PANEL)
        show(axes, array, (scene.truth.shape[0], scene.truth.shape[1]), **options)
        mark_target(axes, target)
        canvas.text(_left(column) + PANEL / 2, top + PANEL + NOTE / 2, note, size=SMALL)


def _legend(canvas: Canvas, top: float) -> None:
    canvas.bar(WEIGHTS, _left(2), top + 0.08, PANEL, "weight", ("0", "max"))
    canvas.bar(ACTIVATION, _left(3), top + 0.08, PANEL, "probability", ("0", "1"))
    canvas.legend(error_legend(), top + 0.42, WIDTH / 2)


def _caption(shown: Activations) -> list[str]:
    several = len(shown.targets)
    strides = ", ".join(
        f"{view.row.label}: embedding {view.embedding_stride}, attention {view.attention_stride}"
        for view in shown.views
    )
    around = ", ".join(f"{target.crowding:.0%}" for target in shown.targets)
    return [
        "The query is the one, of all queries of a method, whose soft mask has the highest Dice with the target "
        "(dashed yellow box).",
        "Embeddings: the first three principal components of a method's own embedding of this window, as red, green "
        "and blue, each stretched from its 1st to its 99th percentile; colours of two methods do not compare.",
        "Weights: the mean over heads; a method attends only inside its mask of the layer before.",
        f"Pixels of the image to a cell ({strides}).",
        "(d): a matched object (IoU > 0.5 in the window) has the colour of its truth; red outlines are missed objects, "
        "white stripes objects that match none.",
        "(c), below: Dice with the target, and other instances of which the mask, at 0.5, covers at least half.",
        how_chosen(shown.window, several) + f" Other instances cover {around} of its surroundings.",
    ]
