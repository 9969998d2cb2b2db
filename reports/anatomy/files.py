"""Write a table's anatomy: Markdown, CSV and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError
from benchmarks.files import write_atomic
from benchmarks.metrics.fates import PREDICTION_FATES, TRUTH_FATES
from benchmarks.metrics.mending import KINDS
from benchmarks.store.scores import write_scores
from reports.anatomy.bars import draw_bars
from reports.anatomy.dissected import DissectedImage, DissectedTable
from reports.anatomy.losses import differences, row_losses
from reports.anatomy.markdown import anatomy_markdown
from reports.anatomy.pictures import draw_telling_images
from reports.pictures import Picture

BARS, IMAGES = "errors", "error_images"
"""What the pictures are called after the table's name."""


@dataclass(frozen=True)
class AnatomyPaths:
    """The paths of the reports."""

    markdown: Path
    csv: Path
    bars: Picture
    images: Picture

    @property
    def shown(self) -> dict[str, str]:
        """Each file by what it is; of a picture that could not be drawn, the reason."""
        pictures = {"bars": self.bars, "images": self.images}
        files = {"Markdown": str(self.markdown), "CSV": str(self.csv)}
        return files | {name: str(one.path or f"none: {one.caption}") for name, one in pictures.items()}


def write_anatomy(table: DissectedTable, out: Path) -> AnatomyPaths:
    """Write OUT/reports/<table>_errors.md, .csv and .png, and <table>_error_images.png.

    Without label maps or data everything but the last is written.
    """
    folder, name = out / "reports", table.spec.name
    losses, found = row_losses(table), differences(table)
    bars, images = (folder / f"{name}_{kind}.png" for kind in (BARS, IMAGES))
    paths = AnatomyPaths(
        markdown=folder / f"{name}_errors.md",
        csv=folder / f"{name}_errors.csv",
        bars=_picture(bars, lambda path: draw_bars(losses, path)),
        images=_picture(images, lambda path: draw_telling_images(table, out, path)),
    )
    write_atomic(paths.markdown, anatomy_markdown(table, losses, found, paths.bars, paths.images))
    write_scores(image_lines(table), paths.csv)
    return paths


def image_lines(table: DissectedTable) -> list[dict[str, Any]]:
    """List each image of each job on one line: counts of fates and events, costs, distances of outlines."""
    return [
        {"row": row.row.number, "label": row.row.label, "seed": job.result.seed, "job": job.result.key, **_line(image)}
        for row in table.rows
        for job in row.jobs
        for image in job.images
    ]


def _line(image: DissectedImage) -> dict[str, Any]:
    errors = image.errors
    return {
        "image": errors.id,
        **{f"truths_{fate}": errors.truths.get(fate, 0) for fate in TRUTH_FATES},
        **{f"predictions_{fate}": errors.predictions.get(fate, 0) for fate in PREDICTION_FATES},
        "merges": errors.merging,
        "splits": errors.fragmented,
        **{f"pq_{kind}": image.pq.shares[kind] for kind in KINDS},
        **{f"pq_alone_{kind}": image.pq.alone[kind] for kind in KINDS},
        **{f"ap_{kind}": image.ap.shares[kind] for kind in KINDS},
        "assd": errors.assd,
        "hd95": errors.hd95,
    }


def _picture(path: Path, draw: Callable[[Path], str]) -> Picture:
    try:
        return Picture(path, draw(path))
    except UserError as error:
        path.unlink(missing_ok=True)  # one of before would stand beside other figures
        return Picture(None, str(error))
