"""The report of seconds and peak memory against size: exponents, picture and page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from benchmarks.files import atomic_path, write_atomic
from benchmarks.measure.scaling import AXES, Axis, Record, Records

SECONDS, MEMORY = "#0072b2", "#d55e00"  # told apart by readers who confuse red and green
DPI = 200


def exponent(values: Sequence[float], figures: Sequence[float]) -> float | None:
    """Fit p in figure ∝ value^p, by least squares over the logarithms of the larger half; None below two points.

    Small sizes are left out: fixed costs hide the growth there.
    """
    half = len(values) - max(2, math.ceil(len(values) / 2))
    points = [(math.log(v), math.log(f)) for v, f in zip(values, figures, strict=True) if v > 0 and f > 0][
        max(half, 0) :
    ]
    if len(points) < 2:
        return None
    mean_x, mean_y = (sum(c) / len(points) for c in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def write_scaling(records: Records, folder: Path, settings: dict[str, Any], command: str) -> None:
    """Write scaling.png and README.md for the axes that were measured."""
    axes = [axis for axis in AXES.values() if any(r.seconds for r in records.of(axis.name))]
    with atomic_path(folder / "scaling.png") as temporary:
        draw(axes, records).savefig(temporary, metadata={"Software": None})
    write_atomic(folder / "README.md", page(axes, records, settings, command))


def draw(axes: Sequence[Axis], records: Records) -> Figure:
    """Draw a panel for each axis, both scales logarithmic: seconds on the left, memory on the right."""
    columns = min(3, max(1, len(axes)))
    lines = -(-len(axes) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.7 * lines), dpi=DPI, layout="constrained")
    for index, axis in enumerate(axes, 1):
        _panel(figure.add_subplot(lines, columns, index), axis, records.of(axis.name))
    return figure


def _panel(left: Axes, axis: Axis, records: list[Record]) -> None:
    found = [r for r in records if r.seconds and r.added_bytes]
    values = [r.value for r in found]
    seconds, memory = [r.seconds or 0 for r in found], [(r.added_bytes or 0) / 2**30 for r in found]
    right = left.twinx()
    for panel, figures, colour, marker, label in (
        (left, seconds, SECONDS, "o", "seconds"), (right, memory, MEMORY, "s", "GiB added at the peak"),
    ):  # fmt: skip
        panel.loglog(values, figures, color=colour, marker=marker, markersize=4, linewidth=1.3)
        panel.set_ylabel(label, color=colour, fontsize=8)
        panel.tick_params(axis="y", labelsize=7, colors=colour)
        panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
        panel.yaxis.set_minor_locator(NullLocator())
        panel.margins(y=0.15)
    left.xaxis.set_major_locator(FixedLocator(values))
    left.xaxis.set_minor_locator(NullLocator())
    left.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    left.tick_params(axis="x", labelsize=7, rotation=45 if len(values) > 5 else 0)
    left.set_xlabel(axis.title, fontsize=8)
    left.set_title(f"seconds ∝ {_power(values, seconds)},  memory ∝ {_power(values, memory)}", fontsize=8)
    left.grid(True, linewidth=0.3)


def _power(values: Sequence[float], figures: Sequence[float]) -> str:
    power = exponent(values, figures)
    return "?" if power is None else f"x^{power:.2f}"


def page(axes: Sequence[Axis], records: Records, settings: dict[str, Any], command: str) -> str:
    """Write the Markdown page that shows the picture."""
    lines = [
        "# How time and memory grow", "",
        "```sh", command, "```", "",
        *(f"- {name}: {value}" for name, value in settings.items()), "",
        "![seconds and memory against size](scaling.png)", "",
        "Exponents are fitted to the larger half of each axis; for a side, 2 means proportional to the area.", "",
    ]  # fmt: skip
    for axis in axes:
        fixed = ", ".join(f"{name} {value}" for name, value in axis.fixed.items())
        what = "a training step on one crop" if axis.training else "one image in tiles"
        lines += [
            f"## {axis.title}", "", f"Measured: {what}{'; ' + fixed if fixed else ''}.", "",
            "| value | seconds | runs | GiB added at the peak | GiB in all | |",
            "| --- | --- | --- | --- | --- | --- |",
        ]  # fmt: skip
        for r in records.of(axis.name):
            figures = [_figure(r.seconds, 1), str(r.runs), _figure(r.added_bytes, 2**30), _figure(r.peak_bytes, 2**30)]
            lines.append(f"| {r.value} | {' | '.join(figures)} | {r.note} |")
        lines.append("")
    return "\n".join(lines)


def _figure(value: float | None, unit: float) -> str:
    return "-" if value is None else f"{value / unit:.3f}"
