"""The paper's figures, from OUT/figures/<name>/figure.json and the pictures in OUT/reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import UserError
from reports.figures.records import read_record, record_paths
from reports.html.pictures import Embedded, embed
from reports.pictures import Picture


@dataclass(frozen=True)
class FigureSection:
    """The section of one figure; where it cannot be shown, `picture` says why."""

    name: str
    title: str
    picture: Embedded
    jobs: tuple[tuple[str, str], ...]  # label and key


def figure_sections(out: Path) -> list[FigureSection]:
    """Read every figure that was drawn, in the order of their names."""
    return [_section(out, path) for path in record_paths(out)]


def _section(out: Path, path: Path) -> FigureSection:
    name = path.parent.name
    try:
        record = read_record(path)
    except UserError as error:
        return FigureSection(name, name, Embedded(None, str(error)), ())
    picture = embed(Picture(out / "reports" / record.picture, record.caption))
    return FigureSection(name, record.title, picture, tuple((job.label, job.key) for job in record.jobs if job.key))
