"""Figure 3: several test images, a line for each image and a column for each method."""

from __future__ import annotations

import textwrap

from benchmarks.figures.facts import RowFacts, Segmentations, SegmentedImage, Window
from benchmarks.figures.store import FigureData
from reports.figures.canvas import SMALL, WIDTH, Canvas, describe_window, show
from reports.scene import Scene, error_legend

LEFT, GAP, TITLE, NOTE, BOTTOM = 0.2, 0.04, 0.38, 0.15, 0.25  # inches
MOST = 1.4  # side of a panel
UNTRAINED, EXTERNAL = "‡", "§"


def draw(data: FigureData) -> tuple[Canvas, list[str]]:
    """Draw the picture; return it with the sentences that its caption needs beside the specification's."""
    shown, rows = data.facts.shown, data.facts.rows
    assert isinstance(shown, Segmentations)
    columns = 2 + len(rows)
    side = min(MOST, (WIDTH - LEFT) / columns - GAP)
    height = TITLE + len(shown.images) * (side + NOTE)
    canvas = Canvas(height + BOTTOM, LEFT + columns * (side + GAP))
    for column, title in enumerate(["image", "truth", *map(_marked, rows)]):
        lines = textwrap.wrap(title, int(16 * side), break_long_words=False)
        canvas.text(LEFT + column * (side + GAP) + side / 2, TITLE / 2, "\n".join(lines), size=SMALL)
    for place, image in enumerate(shown.images):
        _line(canvas, data, image, place, side)
    for column, row in enumerate(rows, 2):
        if row.reason:
            canvas.missing(row, LEFT + column * (side + GAP), TITLE, side, height - TITLE - NOTE)
    canvas.legend(error_legend(), height + BOTTOM / 2, canvas.width / 2)
    return canvas, _caption(shown, rows)


def _marked(row: RowFacts) -> str:
    if row.trained:
        return row.label
    return row.label + (EXTERNAL if row.method == "external" else UNTRAINED)


def _line(canvas: Canvas, data: FigureData, image: SegmentedImage, place: int, side: float) -> None:
    top = TITLE + place * (side + NOTE)
    scene = _scene(data, image.window, place)
    canvas.text(LEFT / 2, top + side / 2, f"median PQ {image.difficulty:.2f}", size=SMALL, rotation=90)
    size = image.window.bottom - image.window.top, image.window.right - image.window.left
    panels = {0: (scene.image_panel(), ""), 1: (scene.truth_panel(), f"{len(scene.truth_colours)} objects")}
    for column, row in enumerate(data.facts.rows, 2):
        if row.reason is None:
            prediction = scene.prediction_panel(data.arrays[f"prediction_{place}_{row.row}"])
            panels[column] = prediction, f"PQ {image.pq[row.row]:.2f}"
    for column, (panel, note) in panels.items():
        left = LEFT + column * (side + GAP)
        show(canvas.axes(left, top, side, side), panel, size)
        canvas.text(left + side / 2, top + side + NOTE / 2, note, size=SMALL)


def _scene(data: FigureData, window: Window, place: int) -> Scene:
    box = slice(window.top, window.bottom), slice(window.left, window.right)
    return Scene(data.arrays[f"image_{place}"], data.arrays[f"truth_{place}"], box)


def _caption(shown: Segmentations, rows: list[RowFacts]) -> list[str]:
    count = len(shown.images)
    quantiles = ", ".join(f"{2 * index + 1}/{2 * count}" for index in reversed(range(count)))
    marks = [
        f"{mark} {meaning}."
        for mark, meaning, present in (
            (UNTRAINED, "no training", any(not row.trained and row.method != "external" for row in rows)),
            (EXTERNAL, "label maps made elsewhere", any(row.method == "external" for row in rows)),
        )
        if present
    ]
    return [
        "A matched object (IoU > 0.5) has the colour of its truth; red outlines are true objects that were missed, "
        "white stripes objects that match none. PQ and the number of objects are of the whole image.",
        f"Chosen by rule: test images in the order of their median PQ over the rows, from hard to easy, at {quantiles} "
        "of that order; of each the window, six typical objects wide, that holds the most objects.",
        f"Shown: {'; '.join(describe_window(image.window) for image in shown.images)}.",
        *marks,
    ]
