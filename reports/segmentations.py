"""The picture of one test image as each row of a table segments it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.data import open_dataset, read_labels
from benchmarks.errors import UserError
from benchmarks.figures.selection import by_difficulty, crowded_window
from benchmarks.files import atomic_path
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.overlays import stretch
from benchmarks.store.result import Result
from reports.collect import RowResults, TableResults
from reports.origins import legend, marked_label
from reports.pictures import CAPTION
from reports.scene import Scene, error_legend

WINDOW = 200  # pixels: more of an image and its objects are too small to judge in print
COLUMNS = 5
PANEL_INCHES = 1.75
TITLE_INCHES = 0.36
LEGEND_INCHES = 0.3
DPI = 250


def draw_segmentations(results: TableResults, out: Path, path: Path) -> str:
    """Draw the image, its truth and a panel for each row that has a label map into a PNG; return the caption.

    A row with several seeds shows its first. The image is the one that `typical_image` chooses; of a large one only
    the window with the most true objects is shown, while matches and PQ are those of the whole image.

    Raises:
        UserError: there is nothing to draw, the data are no longer where they were, or a prediction does not fit its
            image.
    """
    first = {row.number: row.results[0] for row in results.rows if row.results}
    image_id = typical_image(list(first.values()))
    scene = _load(next(iter(first.values())), image_id)
    paths = {number: JobFolder.named(result.key, out).prediction(image_id) for number, result in first.items()}
    rows = [row for row in results.rows if row.number in first and paths[row.number].exists()]
    if not rows:
        raise UserError(f"No picture: no row has a label map of {image_id}, such as {min(paths.items())[1]}.")
    sheet = _Sheet(2 + len(rows))
    sheet.add("image", scene.image_panel())
    sheet.add(f"truth\n{len(scene.truth_colours)} objects", scene.truth_panel())
    for row in rows:
        panel = scene.prediction_panel(_read_prediction(paths[row.number], scene.truth.shape))
        sheet.add(_title(row, first[row.number], image_id), panel)
    caption = _caption(results, rows, scene, image_id)
    sheet.save(path, caption)
    return caption


def typical_image(results: list[Result]) -> str:
    """Choose the test image of middling difficulty: its median PQ over rows is the median of all images.

    Images without true objects show nothing and are left out; ties go to the first id.

    Raises:
        UserError: no image was scored by every job.
    """
    scores = [{image["id"]: image["pq"] for image in result.images if image["truth"]} for result in results]
    chosen = by_difficulty(scores, 1)
    if not chosen:
        raise UserError("No picture: no test image with objects was scored by every row.")
    return chosen[0]


def _load(result: Result, image_id: str) -> Scene:
    sample = open_dataset(result.dataset.spec, decoding=result.dataset.decoding).load(image_id)
    if sample.labels is None:
        raise UserError(f"No picture: {result.dataset.spec} has no public truth for {image_id}.")
    return Scene(stretch(sample.image), sample.objects, crowded_window(sample.objects, WINDOW))


def _read_prediction(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    prediction = read_labels(path)
    if prediction.shape != shape:
        raise UserError(f"{path} has shape {prediction.shape}, its image {shape}: the data have changed.")
    return prediction


def _title(row: RowResults, result: Result, image_id: str) -> str:
    score = next(f"PQ {image['pq']:.3f}" for image in result.images if image["id"] == image_id)
    return f"{row.number}: {marked_label(row)}\n{score}"


def _caption(results: TableResults, shown: list[RowResults], scene: Scene, image_id: str) -> str:
    part = ""
    rows, columns = scene.box
    if scene.truth[scene.box].shape != scene.truth.shape:
        part = f" Shown: columns {columns.start} to {columns.stop - 1}, rows {rows.start} to {rows.stop - 1}."
    seed = f", seed {results.seeds[0]}" if len(results.seeds) > 1 else ""
    marks = "".join(f" {sentence}" for sentence in legend(shown))
    hidden = [row for row in results.rows if row.origin != "quoted" and row not in shown]
    without = [row.label for row in hidden if not row.results]
    lost = [row.label for row in hidden if row.results]
    lacking = f" Without a result: {', '.join(without)}." if without else ""
    lacking += f" Without a label map here: {', '.join(lost)}." if lost else ""
    return (
        f"Test image {image_id}{seed}: of all test images the one whose median PQ over rows is the median."
        f"{part} PQ is of the whole image. A matched object (IoU > 0.5) has the colour of its truth; red "
        f"outlines are true objects that were missed, white stripes objects that match none.{marks}{lacking}"
    )


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
        # A label may look like mathematics, but is not.
        axes.set_title(title, fontsize=7.5, pad=3, linespacing=1.15, parse_math=False)
        axes.imshow(panel, interpolation="antialiased")

    def save(self, path: Path, caption: str) -> None:
        self._figure.legend(handles=error_legend(), loc="lower center", ncols=3, fontsize=7.5, frameon=False)
        with atomic_path(path) as temporary:
            self._figure.savefig(temporary, metadata={"Software": None, CAPTION: caption})
