"""The objective over the settings: a curve over one, a heat map over a grid of two, contours otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.tri import Triangulation

from benchmarks.errors import UserError
from studies.pictures.style import BEST, MAP, OTHER, SMALL, TRIAL, completed, new_figure, save, tidy
from studies.records import TrialRecord
from studies.specification import Choice, Search, StudySpec, maximised, objective_title, short_name
from studies.trial import printed

Point = tuple[Choice, ...]
Published = dict[Point, float]
"""The paper's figure at each point, in the order of the study's settings."""


def draw_surface(
    spec: StudySpec, trials: Sequence[TrialRecord], pair: Sequence[str], published: Published, path: Path
) -> str:
    """Draw the kind of picture that fits the study; return the caption.

    Args:
        pair: the two settings to draw where more were searched.
        published: the paper's figures; empty where it has none.

    Raises:
        UserError: there are too few complete trials.
    """
    done = completed(trials)
    if not done:
        raise UserError("No map: no trial is complete.")
    if len(spec.search) == 1:
        return _curve(spec, done, published, path)
    if len(spec.search) == 2 and all(search.values for search in spec.search.values()):
        return _heat_maps(spec, done, published, path)
    return _contours(spec, done, [trial for trial in trials if trial.state == "pruned"], pair, path)


def _curve(spec: StudySpec, done: list[TrialRecord], published: Published, path: Path) -> str:
    ((name, search),) = spec.search.items()
    figure = new_figure(6.0 if published else 3.6, 2.6)
    measured: Published = {(trial.params[name],): trial.values[0] for trial in done}
    panels = [(measured, objective_title(spec.objectives[0]), TRIAL)]
    if published:
        panels.append((published, "PQ as published", BEST))
    for index, (values, title, colour) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), index)
        points = sorted(values, key=lambda point: _order(search, point[0]))
        places = [_place(search, point[0]) for point in points]
        axes.plot(places, [values[point] for point in points], "o-", color=colour, markersize=3.5, linewidth=1)
        if search.values:
            axes.set_xticks(range(len(search.values)), map(printed, search.values))
        elif search.log:
            axes.set_xscale("log")
        axes.set_xlabel(short_name(name), fontsize=SMALL)
        axes.set_ylabel(title, fontsize=SMALL)
        tidy(axes)
    save(figure, path)
    return f"{objective_title(spec.objectives[0])} over {short_name(name)}." + _beside(published)


def _heat_maps(spec: StudySpec, done: list[TrialRecord], published: Published, path: Path) -> str:
    (down, rows), (across, columns) = spec.search.items()
    assert rows.values is not None and columns.values is not None
    measured = {tuple(trial.params[name] for name in spec.search): trial.values[0] for trial in done}
    panels = [(measured, objective_title(spec.objectives[0]))]
    if published:
        panels.append((published, "PQ as published (test)"))
    figure = new_figure(3.1 * len(panels), 2.8)
    for index, (values, title) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), index)
        table = [[values.get((row, column), np.nan) for column in columns.values] for row in rows.values]
        _heat_map(figure, axes, np.array(table, float), maximised(spec.objectives[0]) or index > 1)
        axes.set_title(title, fontsize=8.5)
        axes.set_xticks(range(len(columns.values)), map(printed, columns.values))
        axes.set_yticks(range(len(rows.values)), map(printed, rows.values))
        axes.set_xlabel(short_name(across), fontsize=SMALL)
        axes.set_ylabel(short_name(down), fontsize=SMALL)
        axes.tick_params(labelsize=SMALL, length=0)
    save(figure, path)
    title = objective_title(spec.objectives[0])
    return f"{title} over {short_name(down)} and {short_name(across)}; the best is framed.{_beside(published)}"


def _heat_map(figure: Figure, axes: Axes, table: np.ndarray, high_is_good: bool) -> None:
    """Draw a coloured table of numbers with the best framed; each table has its own range of colours."""
    image = axes.imshow(table, cmap=MAP, aspect="auto")
    low, high = np.nanmin(table), np.nanmax(table)
    for (row, column), value in np.ndenumerate(table):
        if np.isnan(value):
            continue
        dark = high > low and (value - low) / (high - low) < 0.6
        axes.text(column, row, f"{value:.4f}", ha="center", va="center", fontsize=8, color="w" if dark else "k")
    best = np.nanargmax(table) if high_is_good else np.nanargmin(table)
    if high > low:
        row, column = np.unravel_index(best, table.shape)
        place = (float(column) - 0.47, float(row) - 0.47)
        axes.add_patch(Rectangle(place, 0.94, 0.94, fill=False, edgecolor=BEST, linewidth=2))
        bar = figure.colorbar(image, ax=axes, fraction=0.05)
        bar.ax.tick_params(labelsize=6.5)


def _contours(
    spec: StudySpec, done: list[TrialRecord], pruned: list[TrialRecord], pair: Sequence[str], path: Path
) -> str:
    across, down = pair[:2]
    x = np.array([_place(spec.search[across], trial.params[across]) for trial in done])
    y = np.array([_place(spec.search[down], trial.params[down]) for trial in done])
    values = np.array([trial.values[0] for trial in done])
    figure = new_figure(4.6, 3.2)
    axes = figure.add_subplot()
    _fill(axes, spec, pair, x, y, values)
    points = axes.scatter(x, y, c=values, cmap=MAP, s=18, edgecolors="w", linewidths=0.5, zorder=3)
    places = [[_place(spec.search[name], trial.params[name]) for trial in pruned] for name in (across, down)]
    axes.plot(*places, "x", color=OTHER, markersize=4, zorder=2)
    best = values.argmax() if maximised(spec.objectives[0]) else values.argmin()
    axes.plot(
        x[best], y[best], "o", markersize=9, markerfacecolor="none", markeredgecolor=BEST, markeredgewidth=1.6, zorder=4
    )
    for name, axis in ((across, axes.xaxis), (down, axes.yaxis)):
        search = spec.search[name]
        if search.values:
            axis.set_ticks(range(len(search.values)), [printed(value) for value in search.values])
        axis.set_label_text(short_name(name), fontsize=SMALL)
    for name, scale, limits in ((across, axes.set_xscale, axes.set_xlim), (down, axes.set_yscale, axes.set_ylim)):
        search = spec.search[name]
        scale("log" if search.log else "linear")
        limits(_limits(search))
    bar = figure.colorbar(points, ax=axes)
    bar.ax.tick_params(labelsize=SMALL)
    bar.set_label(objective_title(spec.objectives[0]), fontsize=SMALL)
    axes.tick_params(labelsize=SMALL, length=2, which="both")
    save(figure, path)
    others = "" if len(spec.search) == 2 else ", the two that decide most; the others differ from point to point"
    return (
        f"{objective_title(spec.objectives[0])} over {short_name(across)} and {short_name(down)}{others}. Points are "
        "trials, the circle is the best; between them it is interpolated."
        + (" Crosses were stopped early." if pruned else "")
    )


def _fill(axes: Axes, spec: StudySpec, pair: Sequence[str], x: np.ndarray, y: np.ndarray, values: np.ndarray) -> None:
    """Interpolate between trials if they span an area; on logarithmic axes, between the logarithms."""
    flat = [np.vectorize(log10)(v) if spec.search[name].log else v for name, v in zip(pair, (x, y), strict=False)]
    if len(x) < 4 or len(np.unique(values)) < 2:
        return
    try:
        triangles = Triangulation(*flat).triangles
    except (RuntimeError, ValueError):  # all on one line
        return
    axes.tricontourf(Triangulation(x, y, triangles), values, levels=12, cmap=MAP, alpha=0.6)


def _place(search: Search, value: Choice) -> float:
    """Place choices by their position in the list, and numbers as they are."""
    if search.values is not None:
        return float(search.values.index(value))
    return float(value or 0)


def _limits(search: Search) -> tuple[float, float]:
    """Set the limits of an axis to what is searched and a twentieth to either side, so that no point is cut."""
    if search.values is not None:
        return -0.3, len(search.values) - 0.7
    assert search.low is not None and search.high is not None
    if search.log:
        margin = (search.high / search.low) ** 0.05
        return search.low / margin, search.high * margin
    margin = 0.05 * (search.high - search.low)
    return search.low - margin, search.high + margin


def _order(search: Search, value: Choice) -> float:
    return _place(search, value)


def _beside(published: Published) -> str:
    if not published:
        return ""
    return (
        " Beside it the paper's figures, on its own data and its test split: compare where the best lies, not how high."
    )
