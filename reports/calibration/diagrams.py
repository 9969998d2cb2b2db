"""The picture of calibration: a reliability diagram for each row, above how its objects spread over the scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.files import atomic_path
from benchmarks.metrics.calibration import BINS
from reports.calibration.calibrated import CalibratedRow, CalibratedTable
from reports.calibration.writing import printed
from reports.pictures import CAPTION

DPI = 200
COLUMNS = 4
RIGHT, OBJECTS, IOU = "#4c78a8", "#9d9da1", "#e45756"
DIAGRAM_CAPTION = (
    "Objects by score, of all images and seeds. Bars: the share that is right (IoU > 0.5), the dot at the bin's mean "
    "score; dashed: what calibrated scores give; crosses: mean IoU of the right ones. Below: the share of all objects "
    "in each bin."
)


def draw_diagrams(table: CalibratedTable, path: Path) -> str:
    """Draw a diagram for each row into a PNG; return the picture's caption."""
    rows = table.examined
    columns = min(COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    figure = Figure(figsize=(max(3.0, 1.9 * columns), 2.7 * lines), dpi=DPI, layout="constrained")
    grid = figure.add_gridspec(2 * lines, columns, height_ratios=[3, 1] * lines)
    for place, row in enumerate(rows):
        line, column = divmod(place, columns)
        above = figure.add_subplot(grid[2 * line, column])
        below = figure.add_subplot(grid[2 * line + 1, column], sharex=above)
        _diagram(row, above, below)
        if column == 0:
            above.set_ylabel("right", fontsize=6)
            below.set_ylabel("objects", fontsize=6)
        below.set_xlabel("score", fontsize=6)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None, CAPTION: DIAGRAM_CAPTION})
    return DIAGRAM_CAPTION


def _diagram(row: CalibratedRow, above: Axes, below: Axes) -> None:
    sums = row.sums
    objects, score, matched, iou = sums[sums[:, 0] > 0].T
    middles = (np.flatnonzero(sums[:, 0] > 0) + 0.5) / BINS
    right = matched / objects
    above.bar(middles, right, width=0.9 / BINS, color=RIGHT, alpha=0.5)
    above.plot(score / objects, right, "o", color=RIGHT, markersize=2.5)
    above.plot(middles[matched > 0], iou[matched > 0] / matched[matched > 0], "x", color=IOU, markersize=3)
    above.plot([0, 1], [0, 1], "--", color="black", linewidth=0.6)
    title = above.set_title(f"{row.row.number}: {row.row.label}\nECE {printed(row.error)}", fontsize=6)
    title.set_parse_math(False)
    below.bar(middles, objects / max(objects.sum(), 1), width=0.9 / BINS, color=OBJECTS)
    for axes in (above, below):
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.tick_params(labelsize=5.5, length=2)
        axes.spines[["top", "right"]].set_visible(False)
    above.tick_params(labelbottom=False)
