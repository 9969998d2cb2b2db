"""The picture of what each row loses: a stacked bar a row, as long as what its PQ lacks of 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.files import atomic_path
from benchmarks.metrics.mending import KINDS
from reports.anatomy.colours import hexadecimal
from reports.anatomy.losses import RowLosses
from reports.pictures import CAPTION

WIDTH_INCHES = 7.2
BAR_INCHES = 0.26
FRAME_INCHES = 0.75  # axis and legend
DPI = 200
LEAST = 0.05  # share of the axis below which a figure does not fit its part of a bar

BARS_CAPTION = (
    "PQ lost to each kind of error, mean over images and seeds; the parts of a bar add up to 1 - PQ, which stands at "
    "its end."
)


def draw_bars(losses: Sequence[RowLosses], path: Path) -> str:
    """Draw a bar for each row into a PNG; return the picture's caption."""
    height = BAR_INCHES * len(losses) + FRAME_INCHES
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DPI)
    axes = figure.add_axes((0.3, 0.42 / height, 0.66, BAR_INCHES * len(losses) / height))
    longest = max(one.pq_lost for one in losses) or 1.0
    starts = [0.0] * len(losses)
    for kind in KINDS:
        widths = [max(one.pq[kind], 0.0) for one in losses]  # rounding may leave -1e-17
        axes.barh(range(len(losses)), widths, 0.72, left=starts, color=hexadecimal(kind), label=kind)
        for place, (start, width) in enumerate(zip(starts, widths, strict=True)):
            if width > LEAST * longest:
                ink = "white" if kind == "split" else "black"  # the one dark colour
                axes.text(start + width / 2, place, f"{width:.3f}", ha="center", va="center", fontsize=5.5, color=ink)
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    for place, one in enumerate(losses):
        axes.text(one.pq_lost + longest / 100, place, f"{one.pq_lost:.3f}", va="center", fontsize=6.5)
    axes.set_yticks(range(len(losses)), [f"{one.number}: {one.label}" for one in losses], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1 * longest)
    axes.set_xlabel("PQ lost", fontsize=7, labelpad=1)
    axes.tick_params(labelsize=7, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="upper center", ncols=len(KINDS), fontsize=7, frameon=False, columnspacing=1.2, handlelength=1.2)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None, CAPTION: BARS_CAPTION})
    return BARS_CAPTION
