"""The picture of the most telling images: one a line, row by row, with each error in its colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.data import open_dataset, read_labels
from benchmarks.errors import UserError
from benchmarks.figures.selection import Box, crowded_window
from benchmarks.files import atomic_path
from benchmarks.metrics.anatomy import Anatomy, anatomy
from benchmarks.metrics.mending import KINDS
from benchmarks.store.job_folder import JobFolder
from benchmarks.store.overlays import stretch
from reports.anatomy.colours import hexadecimal
from reports.anatomy.dissected import DissectedJob, DissectedRow, DissectedTable
from reports.anatomy.panels import error_map, error_panel
from reports.panels import backdrop, enlarge
from reports.pictures import CAPTION

IMAGES = 3
WINDOW = 160  # pixels
MOST_ROWS = 8
PANEL_INCHES = 1.6
TITLE_INCHES = 0.36
LEGEND_INCHES = 0.3
DPI = 220


def telling_images(table: DissectedTable, count: int = IMAGES) -> list[str]:
    """Choose images by a rule: those whose PQ tells the rows most apart, else those that lose most.

    Each row has its first seed's PQ. An image tells rows apart by the mean absolute difference of the others' PQ from
    the reference's; where nothing is compared, by 1 - PQ. Ties go to the first id.
    """
    scores = {row.row.number: _first_scores(row.jobs[0]) for row in table.rows if row.jobs}
    shared = set.intersection(*map(set, scores.values()))
    reference = table.reference
    others = [of_row for number, of_row in scores.items() if reference is None or number != reference.row.number]

    def telling(id: str) -> float:
        if reference is None or not others:
            return 1 - float(np.mean([of_row[id] for of_row in scores.values()]))
        own = scores[reference.row.number][id]
        return float(np.mean([abs(of_row[id] - own) for of_row in others]))

    return sorted(shared, key=lambda id: (-telling(id), id))[:count]


def draw_telling_images(table: DissectedTable, out: Path, path: Path) -> str:
    """Draw the most telling images of up to `MOST_ROWS` rows into a PNG; return the picture's caption.

    Raises:
        UserError: there is no image, or the data or the label maps of all rows are not there.
    """
    chosen = telling_images(table)
    if not chosen:
        raise UserError("No picture: no image was scored by every row.")
    rows = _shown(table, out, chosen)
    lines = [_panels(rows, out, id) for id in chosen]
    caption = _caption(table, rows, chosen)
    _save(lines, path, caption)
    return caption


Panels = list[tuple[str, np.ndarray]]
"""Titles and panels of one image: (H, W, 3) uint8."""


def _panels(rows: Sequence[DissectedRow], out: Path, id: str) -> Panels:
    dataset = rows[0].jobs[0].result.dataset
    sample = open_dataset(dataset.spec, decoding=dataset.decoding).load(id)
    if sample.labels is None:
        raise UserError(f"No picture: {dataset.spec} has no public truth for {id}.")
    truth, picture = sample.labels, stretch(sample.image)
    found = []
    for row in rows:
        (path,) = _label_maps(row, out, [id])
        prediction = read_labels(path)
        if prediction.shape != truth.shape:
            raise UserError(f"{path} has shape {prediction.shape}, its image {truth.shape}: the data have changed.")
        one = anatomy(truth, prediction)
        found.append((row, one, error_map(truth, prediction, one)))
    box = crowded_window(_erring(truth, [one for _, one, _ in found]), WINDOW)
    panels = [(_short(id), enlarge(backdrop(picture[box])))]
    return panels + [(_title(row, id), _panel(picture, truth, kinds, box)) for row, _, kinds in found]


def _panel(picture: np.ndarray, truth: np.ndarray, kinds: np.ndarray, box: Box) -> np.ndarray:
    return error_panel(picture[box], truth[box], kinds[box])


def _erring(truth: np.ndarray, found: Sequence[Anatomy]) -> np.ndarray:
    """The truths that some row did not match; all of them where every row matched all."""
    wrong = np.any([one.fates.truths != "matched" for one in found], axis=0)
    ids = found[0].table.truth_ids[wrong]
    return np.where(np.isin(truth, ids), truth, 0) if len(ids) else truth


def _shown(table: DissectedTable, out: Path, ids: Sequence[str]) -> list[DissectedRow]:
    """The reference and the first of the other rows that have label maps of these images, in the table's order."""
    maps = {row.row.number: _label_maps(row, out, ids) for row in table.examined}
    rows = [row for row in table.examined if all(path.exists() for path in maps[row.row.number])]
    if not rows:
        raise UserError(f"No picture: no row has its label maps, such as {min(maps.items())[1][0]}.")
    reference = table.reference
    others = [row for row in rows if row is not reference]
    others = others[: MOST_ROWS - (len(rows) > len(others))]
    return [row for row in rows if row in others or row is reference]


def _label_maps(row: DissectedRow, out: Path, ids: Sequence[str]) -> list[Path]:
    folder = JobFolder.named(row.jobs[0].result.key, out)
    return [folder.prediction(id) for id in ids]


def _first_scores(job: DissectedJob) -> dict[str, float]:
    return job.result.scores.get("pq", {})


def _title(row: DissectedRow, id: str) -> str:
    return f"{row.row.number}: {row.row.label}\nPQ {_first_scores(row.jobs[0])[id]:.3f}"


def _short(id: str) -> str:
    """A name that fits a panel: microscopes' names differ at the front."""
    return f"{id[:22]}…" if len(id) > 24 else id


def _caption(table: DissectedTable, rows: Sequence[DissectedRow], chosen: Sequence[str]) -> str:
    rule = "lose most" if len(rows) == 1 or table.reference is None else "tell the rows most apart from the reference"
    hidden = [row.row.label for row in table.examined if row not in rows]
    more = f" Not shown: {', '.join(hidden)}." if hidden else ""
    return (
        f"Images {', '.join(chosen)}, which of all test images {rule} by PQ (first seed of each row); the window with "
        f"the most truths that a row did not match. Grey: outlines of the truth. Boundary: pixels that a match and its "
        f"truth do not share.{more}"
    )


def _save(lines: Sequence[Panels], path: Path, caption: str) -> None:
    columns = max(map(len, lines))
    height = len(lines) * (PANEL_INCHES + TITLE_INCHES) + LEGEND_INCHES
    width = max(columns * PANEL_INCHES, 4 * PANEL_INCHES)
    figure = Figure(figsize=(width, height), dpi=DPI)
    for line, panels in enumerate(lines):
        for column, (title, panel) in enumerate(panels):
            bottom = LEGEND_INCHES + (len(lines) - 1 - line) * (PANEL_INCHES + TITLE_INCHES)
            box = (column * PANEL_INCHES / width, bottom / height, 0.98 * PANEL_INCHES / width, PANEL_INCHES / height)
            axes = figure.add_axes(box)
            axes.set_axis_off()
            axes.set_title(title, fontsize=6.5, pad=2, linespacing=1.1, parse_math=False)
            axes.imshow(panel, interpolation="antialiased")
    handles = [Patch(facecolor=hexadecimal(kind), label=kind) for kind in KINDS]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=6.5, frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None, CAPTION: caption})
