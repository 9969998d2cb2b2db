"""The picture of learning: training loss and validation PQ of each trained row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from benchmarks.errors import UserError
from benchmarks.files import atomic_path
from reports.collect import TableResults
from reports.learning import RowLearning
from reports.pictures import CAPTION

COLUMNS = 3
PANEL_INCHES = (2.15, 1.35)
GAP_INCHES = (0.75, 0.72)  # between panels: axes' labels and titles
LEGEND_INCHES = 0.3
DPI = 200
LOSS, QUALITY = "#0072b2", "#d55e00"  # told apart by readers who confuse red and green


def draw_learning(results: TableResults, rows: Sequence[RowLearning], path: Path) -> str:
    """Draw a panel for each row into a PNG; return the picture's caption.

    Raises:
        UserError: no row has curves.
    """
    if not rows:
        raise UserError("No learning curves: no finished job of a trained row has any.")
    lines = -(-len(rows) // COLUMNS)
    columns = min(COLUMNS, len(rows))
    width, height = columns * _pitch(0), lines * _pitch(1) + LEGEND_INCHES
    figure = Figure(figsize=(width, height), dpi=DPI)
    for index, row in enumerate(rows):
        line, column = divmod(index, COLUMNS)
        left = column * _pitch(0) + GAP_INCHES[0] / 2
        bottom = LEGEND_INCHES + (lines - 1 - line) * _pitch(1) + GAP_INCHES[1] / 2
        box = (left / width, bottom / height, PANEL_INCHES[0] / width, PANEL_INCHES[1] / height)
        _draw(figure.add_axes(box), row)
    _legend(figure)
    caption = _caption(results, rows)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None, CAPTION: caption})
    return caption


def _pitch(axis: int) -> float:
    return PANEL_INCHES[axis] + GAP_INCHES[axis]


def _draw(axes: Axes, row: RowLearning) -> None:
    axes.set_title(f"{row.number}: {row.label}\n{row.verdict}", fontsize=7.5, pad=3, parse_math=False)
    quality = axes.twinx()
    for curves in row.curves:
        iterations, losses = curves.loss
        axes.plot(iterations, losses, color=LOSS, linewidth=0.4, alpha=0.4)
        axes.plot(iterations, curves.smooth_loss, color=LOSS, linewidth=1.3)
        quality.plot(*curves.validation, color=QUALITY, linewidth=1, marker="o", markersize=2.5, clip_on=False)
    if all((curves.loss[1] > 0).all() for curves in row.curves):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(0, max(curves.iterations for curves in row.curves))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel("iteration", fontsize=6, labelpad=1)
    quality.set_ylim(0, 1)
    axes.tick_params(labelsize=6, length=2)
    axes.tick_params(axis="y", colors=LOSS)
    quality.tick_params(labelsize=6, length=2, colors=QUALITY)


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=LOSS, linewidth=0.5, alpha=0.5, label="training loss of a batch (left axis)"),
        Line2D([], [], color=LOSS, linewidth=1.3, label="its mean over 10 % of the iterations"),
        Line2D([], [], color=QUALITY, linewidth=1, marker="o", markersize=2.5, label="validation PQ (right axis)"),
    ]
    figure.legend(handles=handles, loc="lower center", ncols=3, fontsize=6.5, frameon=False, columnspacing=1)


def _caption(results: TableResults, rows: Sequence[RowLearning]) -> str:
    by_verdict = {
        verdict: [row.label for row in rows if row.verdict == verdict]
        for verdict in ("converged", "not converged", "undecided")
    }
    verdicts = "; ".join(f"{verdict}: {', '.join(labels)}" for verdict, labels in by_verdict.items() if labels)
    present = {row.number for row in rows}
    missing = [row.label for row in results.rows if row.origin == "trained" and row.number not in present]
    without = f" Without curves: {', '.join(missing)}." if missing else ""
    return (
        "Training loss, without terms that have a floor, and validation PQ against the iteration, one line for each "
        "seed. The loss's axis is each panel's own. "
        "Verdict: whether the mean loss of the last 10 % of the iterations is within 5 % of that of 70 to 80 %, by "
        f"two standard errors ({verdicts}).{without}"
    )
