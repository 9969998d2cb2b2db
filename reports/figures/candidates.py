"""Figure 4: the mask of the best query for each target, a column for each method."""

from __future__ import annotations

import numpy as np

from benchmarks.figures.facts import Candidates, CandidateView, RowFacts
from benchmarks.figures.store import FigureData
from reports.figures.canvas import (
    BOLD,
    OTHER,
    SMALL,
    WIDTH,
    Canvas,
    fit,
    how_chosen,
    mark_target,
    outline,
    show,
)

GAP, TITLE, NOTE, BOTTOM = 0.06, 0.4, 0.16, 0.3  # inches
MOST = 1.7  # side of a panel
ACTIVATION = "viridis"
PLAIN = "white"


def draw(data: FigureData) -> tuple[Canvas, list[str]]:
    """Draw the picture; return it with the sentences that its caption needs beside the specification's."""
    shown, rows = data.facts.shown, data.facts.rows
    assert isinstance(shown, Candidates)
    columns = 1 + len(rows)
    side = min(MOST, (WIDTH - GAP) / columns - GAP)
    canvas = Canvas(TITLE + len(shown.targets) * (side + NOTE) + BOTTOM, columns * (side + GAP) + GAP)
    views = {view.row.row: view for view in shown.views}
    size = data.arrays["truth"].shape
    canvas.text(GAP + side / 2, TITLE / 2, "image and target")
    for place, target in enumerate(shown.targets):
        axes = canvas.axes(GAP, TITLE + place * (side + NOTE), side, side)
        show(axes, data.arrays["image"], (size[0], size[1]))
        mark_target(axes, target)
    for column, row in enumerate(rows, 1):
        left = GAP + column * (side + GAP)
        view = views.get(row.row)
        canvas.text(left + side / 2, TITLE / 2, _title(row, view))
        if view is None:
            canvas.missing(row, left, TITLE, side, len(shown.targets) * (side + NOTE) - NOTE)
            continue
        for place in range(len(shown.targets)):
            _panel(canvas, data, view, place, left, TITLE + place * (side + NOTE), side)
    canvas.bar(ACTIVATION, canvas.width / 2 - 0.8, canvas.height - 0.25, 1.6, "mask probability", ("0", "1"))
    return canvas, _caption(shown)


def _title(row: RowFacts, view: CandidateView | None) -> str:
    if view is None:
        return row.label
    return f"{row.label}\nmean Dice {view.mean_dice:.2f}, {view.merged:.0%} merged"


def _panel(
    canvas: Canvas, data: FigureData, view: CandidateView, place: int, left: float, top: float, side: float
) -> None:
    shown, truth = data.facts.shown, data.arrays["truth"]
    assert isinstance(shown, Candidates)
    target, query = shown.targets[place], view.queries[place]
    others = sorted(set(query.covered) - {target.id})
    axes = canvas.axes(left, top, side, side)
    mask = data.arrays[f"mask_{view.row.row}_{place}"]
    show(axes, mask, (truth.shape[0], truth.shape[1]), cmap=ACTIVATION, vmin=0, vmax=1)
    outline(axes, np.where(np.isin(truth, [target.id, *others]), 0, truth), PLAIN, 0.25)
    outline(axes, np.where(np.isin(truth, others), truth, 0), OTHER, 1.0)
    outline(axes, np.where(truth == target.id, truth, 0), PLAIN, BOLD)
    mark_target(axes, target)
    canvas.text(left + side / 2, top + side + NOTE / 2, fit(query, target), size=SMALL)


def _caption(shown: Candidates) -> list[str]:
    queries = ", ".join(f"{view.row.label} {view.num_queries}" for view in shown.views)
    instances = shown.views[0].instances
    return [
        "Of all queries of a method, the one is shown whose soft mask has the highest Dice with the target, whatever "
        f"its score (queries: {queries}).",
        "White: outlines of the true instances; orange: other instances of which the mask, at a probability of 0.5, "
        "covers at least half.",
        f"Above the columns: over the {instances} whole instances in the most crowded window of each test image, the "
        "mean Dice of the best query and the share of instances whose best query covers another one too.",
        how_chosen(shown.window, len(shown.targets)),
    ]
