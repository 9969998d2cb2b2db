"""The distribution of a metric over test images: a strip for each row, as coordinates for a small SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from benchmarks.metrics import METRICS
from benchmarks.plan.tables import Display
from reports.cells import ARROWS
from reports.collect import RowResults, TableResults
from reports.origins import marked_label
from reports.pairing import image_means
from reports.statistics import mean_interval

WIDTH, HEIGHT = 600, 46  # size of a strip, in its own units
MIDDLE, TRACK = 19, 40  # heights of the dots, and of the mean below them
MARGIN = 14
RADIUS = 3.2
MOST_DOTS = 200  # where there are more images, only the lowest and highest are drawn
EXTREMES = 10
_TICKS = MaxNLocator(5, steps=[1, 2, 5, 10])


@dataclass(frozen=True)
class Dot:
    """The dot of one image."""

    x: float
    y: float
    title: str  # names the image and its value


@dataclass(frozen=True)
class Strip:
    """The strip of one row: its images, quartiles, mean and the mean's interval; x in the strip's own units."""

    number: int
    label: str
    images: int
    mean: str
    low: str  # lower end of the 95 % interval of the mean over images; a dash for a single image
    high: str
    dots: tuple[Dot, ...]
    quartiles: tuple[float, float, float]
    mean_x: float
    interval_x: tuple[float, float] | None
    description: str


@dataclass(frozen=True)
class Distribution:
    """The distributions of one metric, row by row."""

    title: str
    ticks: tuple[tuple[float, str], ...]
    strips: tuple[Strip, ...]
    shortened: bool  # some strip has more images than dots


def distributions(results: TableResults) -> list[Distribution]:
    """Make the distribution of each metric that any row has, PQ first, as it is the paper's headline metric."""
    metrics = sorted(results.spec.metrics, key=lambda metric: metric != "pq")
    found = (_distribution(results, metric) for metric in metrics)
    return [one for one in found if one.strips]


def _distribution(results: TableResults, metric: str) -> Distribution:
    display = results.spec.shown(metric)
    scores = {row.number: image_means(row, metric) for row in results.rows}
    rows = [row for row in results.rows if scores[row.number]]
    values = [value * display.factor for row in rows for value in scores[row.number].values()]
    axis = _Axis.around(values) if values else _Axis((0.0, 1.0))
    strips = tuple(_strip(row, scores[row.number], axis, display) for row in rows)
    title = f"{METRICS[metric].title} {ARROWS[METRICS[metric].direction]}".rstrip()
    return Distribution(title, axis.ticks, strips, any(strip.images > MOST_DOTS for strip in strips))


@dataclass(frozen=True)
class _Axis:
    values: tuple[float, ...]  # the ticks, both ends among them

    @classmethod
    def around(cls, values: list[float]) -> _Axis:
        return cls(tuple(map(float, _TICKS.tick_values(min(values), max(values)))))

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        return tuple((self.place(value), f"{value:g}".replace("-", "−")) for value in self.values)

    def place(self, value: float) -> float:
        share = (value - self.values[0]) / (self.values[-1] - self.values[0])
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


def _strip(row: RowResults, scores: dict[str, float], axis: _Axis, display: Display) -> Strip:
    names = sorted(scores, key=lambda image: (scores[image], image))
    own = np.array([scores[name] for name in names])
    values = own * display.factor
    low, high = (display.factor * end for end in mean_interval(own))
    known = math.isfinite(low)
    quartiles = [float(value) for value in np.quantile(values, (0.25, 0.5, 0.75))]
    mean = float(values.mean())

    def printed(value: float) -> str:
        return f"{value:.{display.digits}f}"

    places = range(len(names))
    shown = places if len(names) <= MOST_DOTS else [*places[:EXTREMES], *places[-EXTREMES:]]
    return Strip(
        number=row.number,
        label=marked_label(row),
        images=len(names),
        mean=printed(mean),
        low=printed(low) if known else "–",
        high=printed(high) if known else "–",
        dots=_dots([(axis.place(values[index]), f"{names[index]}: {printed(values[index])}") for index in shown]),
        quartiles=(axis.place(quartiles[0]), axis.place(quartiles[1]), axis.place(quartiles[2])),
        mean_x=axis.place(mean),
        interval_x=(max(0, axis.place(low)), min(WIDTH, axis.place(high))) if known else None,
        description=f"{len(names)} images from {printed(values[0])} to {printed(values[-1])}, "
        f"median {printed(quartiles[1])}, mean {printed(mean)}",
    )


def _dots(places: list[tuple[float, str]]) -> tuple[Dot, ...]:
    """Place the dots; those that would cover each other are stacked, as far as the strip is high."""
    stacked: dict[int, int] = {}
    dots = []
    for x, title in places:
        cell = int(x / (2 * RADIUS))
        level = stacked.get(cell, 0)
        stacked[cell] = level + 1
        offset = (level + 1) // 2 * RADIUS * 1.6 * (-1 if level % 2 else 1)
        reach = MIDDLE - RADIUS - 2
        dots.append(Dot(x, round(MIDDLE + max(-reach, min(reach, offset)), 1), title))
    return tuple(dots)
