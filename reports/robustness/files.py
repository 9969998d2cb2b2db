"""Write a table's robustness: Markdown, CSV and the picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.files import write_atomic
from benchmarks.robustness import CONDITIONS, KINDS
from benchmarks.store.scores import write_scores
from reports.markdown_text import escape, escape_cells, format_table
from reports.robustness.curves import draw_curves
from reports.robustness.measured import MeasuredTable
from reports.robustness.writing import HOW, Grid, kind_grid, sentences, summary_grid, title


@dataclass(frozen=True)
class RobustnessPaths:
    """The paths of the reports."""

    markdown: Path
    csv: Path
    picture: Path


def robustness_paths(out: Path, table: str) -> RobustnessPaths:
    """Where the reports of a table lie."""
    stem = out / "reports" / f"{table}_robustness"
    return RobustnessPaths(stem.with_suffix(".md"), stem.with_suffix(".csv"), stem.with_suffix(".png"))


def write_robustness_reports(table: MeasuredTable, out: Path) -> RobustnessPaths:
    """Write OUT/reports/<table>_robustness.md, .csv and .png."""
    paths = robustness_paths(out, table.spec.name)
    caption = draw_curves(table, paths.picture)
    write_atomic(paths.markdown, _markdown(table, paths, caption))
    write_scores(_lines(table), paths.csv)
    return paths


def _lines(table: MeasuredTable) -> list[dict[str, Any]]:
    """A line for each job and condition, with the mean over images of every metric."""
    return [
        {
            "row": row.row.number,
            "label": row.row.label,
            "seed": job.result.seed,
            "job": job.result.key,
            "kind": kind,
            "strength": strength,
            "parameter": KINDS[kind].parameters[strength - 1] if strength else "",
            **{metric: job.value(kind, strength, metric) for metric in job.robustness.conditions[0].metrics},
        }
        for row in table.examined
        for job in row.jobs
        for kind, strength in [*((kind, 0) for kind in KINDS), *CONDITIONS]
    ]


def _markdown(table: MeasuredTable, paths: RobustnessPaths, caption: str) -> str:
    parts = [
        f"# {escape(table.spec.title)}: robustness",
        *(escape(sentence) for sentence in sentences(table)),
        f"![Robustness]({paths.picture.name})",
        escape(caption),
        _table(summary_grid(table)),
        "The difference to the reference is of each image's mean over all conditions: 95 % paired bootstrap interval "
        "over images and seeds; ▲ and ▼: significantly better or worse, corrected over the rows.",
    ]
    for kind in KINDS:
        parts += [f"## {escape(title(kind))}", _table(kind_grid(table, kind))]
    parts += ["## How", escape(HOW), *(f"- {escape(line)}" for line in table.left_out)]
    return "\n\n".join(parts) + "\n"


def _table(cells: Grid) -> str:
    headings, lines = cells
    return format_table(escape_cells([headings])[0], escape_cells(lines))
