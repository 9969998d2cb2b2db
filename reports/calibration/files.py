"""Write a table's calibration: Markdown, two CSV files and the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.files import write_atomic
from benchmarks.metrics.calibration import BINS
from benchmarks.store.scores import write_scores
from reports.calibration.calibrated import CalibratedJob, CalibratedTable
from reports.calibration.diagrams import draw_diagrams
from reports.calibration.writing import HOW, Grid, bin_grid, sentences, summary_grid
from reports.markdown_text import escape, escape_cells, format_table


@dataclass(frozen=True)
class CalibrationPaths:
    """The paths of the reports.

    Attributes:
        csv: a line for each job.
        bins: a line for each job and bin.
    """

    markdown: Path
    csv: Path
    bins: Path
    picture: Path


def calibration_paths(out: Path, table: str) -> CalibrationPaths:
    """Where the reports of a table lie."""
    stem = out / "reports" / f"{table}_calibration"
    return CalibrationPaths(
        stem.with_suffix(".md"),
        stem.with_suffix(".csv"),
        stem.with_name(f"{table}_calibration_bins.csv"),
        stem.with_suffix(".png"),
    )


def write_calibration_reports(table: CalibratedTable, out: Path) -> CalibrationPaths:
    """Write OUT/reports/<table>_calibration.md, .csv, _bins.csv and .png."""
    paths = calibration_paths(out, table.spec.name)
    caption = draw_diagrams(table, paths.picture)
    write_atomic(paths.markdown, _markdown(table, paths, caption))
    jobs = [(_place(row.row.number, row.row.label, job), job) for row in table.examined for job in row.jobs]
    write_scores([place | _job(job) for place, job in jobs], paths.csv)
    write_scores([place | line for place, job in jobs for line in _bins(job)], paths.bins)
    return paths


def _place(number: int, label: str, job: CalibratedJob) -> dict[str, Any]:
    return {"row": number, "label": label, "seed": job.result.seed, "job": job.result.key}


def _job(job: CalibratedJob) -> dict[str, Any]:
    objects, score, matched, iou = job.sums.sum(axis=0).tolist()
    at_half, over_thresholds = job.ranked
    return {
        "images": len(job.calibration.images),
        "scored_again": job.calibration.scored_again,
        "truth": sum(image.truth for image in job.calibration.images),
        "objects": int(objects),
        "mean_score": _share(score, objects),
        "right": _share(matched, objects),
        "mean_iou": _share(iou, matched),
        "ece": job.error,
        "ranked_ap50": at_half,
        "ranked_ap": over_thresholds,
    }


def _bins(job: CalibratedJob) -> list[dict[str, Any]]:
    return [
        {
            "above": place / BINS,
            "up_to": (place + 1) / BINS,
            "objects": int(objects),
            "mean_score": _share(score, objects),
            "right": _share(matched, objects),
            "mean_iou": _share(iou, matched),
        }
        for place, (objects, score, matched, iou) in enumerate(job.sums.tolist())
    ]


def _share(part: float, whole: float) -> float | str:
    """A quotient; nothing where there is none."""
    return part / whole if whole else ""


def _markdown(table: CalibratedTable, paths: CalibrationPaths, caption: str) -> str:
    parts = [
        f"# {escape(table.spec.title)}: calibration",
        *(escape(sentence) for sentence in sentences(table)),
        f"![Calibration]({paths.picture.name})",
        escape(caption),
        _table(summary_grid(table)),
    ]
    for row in table.examined:
        parts += [f"## {row.row.number}: {escape(row.row.label)}", _table(bin_grid(row))]
    parts += ["## How", escape(HOW), *(f"- {escape(line)}" for line in table.left_out)]
    return "\n\n".join(parts) + "\n"


def _table(cells: Grid) -> str:
    headings, lines = cells
    return format_table(escape_cells([headings])[0], escape_cells(lines))
