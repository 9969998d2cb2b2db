"""The picture: what each row of a table makes of the same test image."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.data import open_dataset, read_labels
from benchmarks.errors import UserError
from benchmarks.files import atomic_path
from benchmarks.overlays import colour_labels, stretch
from reports import panels
from reports.collect import JobResult, RowResults, TableResults
from reports.origins import legend, marked_label

WINDOW = 200  # pixels: more of an image and its objects are too small to judge in print
COLUMNS = 5
PANEL_INCHES = 1.75
TITLE_INCHES = 0.36
LEGEND_INCHES = 0.3
DPI = 250

Box = tuple[slice, slice]


def draw_segmentations(results: TableResults, out: Path, path: Path) -> str:
    """Draw the image, its truth and a panel a row that was run into a PNG; returns the picture's caption.

    A row with several seeds shows its first. The image is `typical_image`'s; of a large one only the
    window with the most true objects is shown, while matches and PQ are of the whole image.

    Raises:
        UserError: there is nothing to draw, the data are no longer where they were, or a prediction is
            missing or does not fit its image.
    """
    first = {row.number: row.results[0] for row in results.rows if row.results}
    image_id = typical_image(list(first.values()))
    scene = _Scene.load(next(iter(first.values())), image_id)
    rows = [row for row in results.rows if row.origin != "quoted"]
    sheet = _Sheet(2 + len(rows))
    sheet.add("image", panels.enlarge(scene.picture[scene.box]))
    truth = scene.truth_panel()
    sheet.add(f"truth\n{len(scene.truth_colours)} objects", truth)
    for row in rows:
        result = first.get(row.number)
        panel = scene.prediction_panel(out / "jobs" / result.key / "predictions") if result else _blank(truth)
        sheet.add(_title(row, result, image_id), panel)
    sheet.save(path)
    return _caption(results, rows, scene)


def typical_image(results: list[JobResult]) -> str:
    """The test image of middling difficulty: its median PQ over rows is the median of all images'.

    Images without true objects show nothing and are left out; ties go to the first id.

    Raises:
        UserError: no image was scored by every job.
    """
    scores = [{image["id"]: image["pq"] for image in result.images if image["truth"]} for result in results]
    shared = set.intersection(*map(set, scores)) if scores else set()
    if not shared:
        raise UserError("No picture: no test image with objects was scored by every row.")
    ranked = sorted(shared, key=lambda image: (statistics.median(score[image] for score in scores), image))
    return ranked[(len(ranked) - 1) // 2]


def crowded_window(truth: np.ndarray, size: int = WINDOW) -> Box:
    """The window of at most `size` by `size` pixels that holds the most centres of true objects."""
    ids, inverse, areas = np.unique(truth, return_inverse=True, return_counts=True)
    centres = np.zeros(truth.shape, int)
    sums = (np.bincount(inverse.ravel(), index.ravel()) for index in np.indices(truth.shape))
    rows, columns = ((total / areas)[ids > 0].astype(int) for total in sums)
    np.add.at(centres, (rows, columns), 1)
    height, width = (min(size, length) for length in truth.shape)
    above = np.pad(centres.cumsum(0), ((1, 0), (0, 0)))
    left_of = np.pad((above[height:] - above[:-height]).cumsum(1), ((0, 0), (1, 0)))
    inside = left_of[:, width:] - left_of[:, :-width]
    top, left = (int(index) for index in np.unravel_index(inside.argmax(), inside.shape))
    return slice(top, top + height), slice(left, left + width)


@dataclass(frozen=True)
class _Scene:
    """The image that all rows segmented, its truth and the window of both that is shown."""

    id: str
    picture: np.ndarray  # (H, W, 3) uint8
    truth: np.ndarray  # (H, W) int
    colours: np.ndarray  # (H, W, 3) uint8, of the truth
    box: Box

    @classmethod
    def load(cls, result: JobResult, image_id: str) -> _Scene:
        sample = open_dataset(result.dataset.spec, decoding=result.dataset.decoding).load(image_id)
        truth = sample.labels
        if truth is None:
            raise UserError(f"No picture: {result.dataset.spec} has no public truth for {image_id}.")
        return cls(image_id, stretch(sample.image), truth, colour_labels(truth), crowded_window(truth))

    @cached_property
    def truth_colours(self) -> dict[int, np.ndarray]:
        ids, first = np.unique(self.truth, return_index=True)
        colours = self.colours.reshape(-1, 3)[first]
        return {int(id): colour for id, colour in zip(ids, colours, strict=True) if id > 0}

    def truth_panel(self) -> np.ndarray:
        return panels.truth_panel(self.picture[self.box], self.truth[self.box], self.colours[self.box])

    def prediction_panel(self, folder: Path) -> np.ndarray:
        path = folder / f"{self.id}.tif"
        prediction = read_labels(path)
        if prediction.shape != self.truth.shape:
            raise UserError(
                f"{path} has shape {prediction.shape}, its image {self.truth.shape}: the data have changed."
            )
        pairs = panels.matches(self.truth, prediction)
        box = self.box
        return panels.prediction_panel(self.picture[box], self.truth[box], prediction[box], pairs, self.truth_colours)


def _title(row: RowResults, result: JobResult | None, image_id: str) -> str:
    score = "no result"
    if result is not None:
        score = next(f"PQ {image['pq']:.3f}" for image in result.images if image["id"] == image_id)
    return f"{row.number}: {marked_label(row)}\n{score}"


def _caption(results: TableResults, shown: list[RowResults], scene: _Scene) -> str:
    part = ""
    rows, columns = scene.box
    if scene.truth[scene.box].shape != scene.truth.shape:
        part = f" Shown: columns {columns.start} to {columns.stop - 1}, rows {rows.start} to {rows.stop - 1}."
    seed = f", seed {results.seeds[0]}" if len(results.seeds) > 1 else ""
    marks = "".join(f" {sentence}" for sentence in legend(shown))
    return (
        f"Test image {scene.id}{seed}: of all test images the one whose median PQ over rows is the median."
        f"{part} PQ is of the whole image. A matched object (IoU > 0.5) has the colour of its truth; red "
        f"outlines are true objects that were missed, white stripes objects that match none.{marks}"
    )


def _blank(panel: np.ndarray) -> np.ndarray:
    return np.full_like(panel, 235)


class _Sheet:
    """A grid of panels with a legend, drawn without pyplot's global state."""

    def __init__(self, count: int) -> None:
        rows = -(-count // COLUMNS)
        height = rows * (PANEL_INCHES + TITLE_INCHES) + LEGEND_INCHES
        self._figure = Figure(figsize=(COLUMNS * PANEL_INCHES, height), dpi=DPI)
        grid = self._figure.subplots(rows, COLUMNS, squeeze=False)
        self._figure.subplots_adjust(
            left=0.003, right=0.997, wspace=0.03,
            top=1 - TITLE_INCHES / height, bottom=LEGEND_INCHES / height, hspace=TITLE_INCHES / PANEL_INCHES,
        )  # fmt: skip
        for axes in grid.flat:
            axes.set_axis_off()
        self._free = iter(grid.flat)

    def add(self, title: str, panel: np.ndarray) -> None:
        axes = next(self._free)
        # A label that looks like mathematics is none.
        axes.set_title(title, fontsize=7.5, pad=3, linespacing=1.15, parse_math=False)
        axes.imshow(panel, interpolation="antialiased")

    def save(self, path: Path) -> None:
        red = "#{:02x}{:02x}{:02x}".format(*panels.MISSED)
        handles = [
            Patch(facecolor="0.6", label="matched, in its truth's colour"),
            Patch(facecolor="none", edgecolor=red, linewidth=1.5, label="missed"),
            Patch(facecolor="black", edgecolor="white", hatch="//////", label="false"),
        ]
        self._figure.legend(handles=handles, loc="lower center", ncols=3, fontsize=7.5, frameon=False)
        with atomic_path(path) as temporary:
            self._figure.savefig(temporary, metadata={"Software": None})
