"""The style that the pictures of a study share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.files import atomic_path
from studies.records import TrialRecord
from studies.specification import Choice, Search
from studies.trial import printed

DPI = 200
TRIAL, BEST, OTHER = "#0072b2", "#d55e00", "#999999"  # told apart by readers who confuse red and green
MAP = "viridis"
SMALL = 7.5


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in inches."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def tidy(axes: Axes) -> None:
    """Make ticks small, and remove the frame where there is nothing to read."""
    axes.tick_params(labelsize=SMALL, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def positions(search: Search, values: Sequence[Choice]) -> tuple[list[float], list[tuple[float, str]]]:
    """Place values on an axis from 0 to 1; return their positions, and the axis's ticks (position, text)."""
    from math import log

    if search.values is not None:
        last = max(1, len(search.values) - 1)
        place = {str(value): index / last for index, value in enumerate(search.values)}
        return [place[str(value)] for value in values], [(place[str(v)], printed(v)) for v in search.values]
    assert search.low is not None and search.high is not None
    low, high = (log(search.low), log(search.high)) if search.log else (search.low, search.high)
    numbers = [log(float(v or 0)) if search.log else float(v or 0) for v in values]
    return [(number - low) / (high - low) for number in numbers], [(0, printed(search.low)), (1, printed(search.high))]


def completed(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [trial for trial in trials if trial.state == "complete"]
