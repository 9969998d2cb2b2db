"""The paper's figures, from OUT/figures/<name>/figure.json and the pictures in OUT/reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from reports.html.pictures import Embedded, embed
from reports.pictures import Picture


class _Job(BaseModel):
    model_config = ConfigDict(frozen=True)

    label: str
    key: str | None = None


class _Record(BaseModel):
    """The part of figure.json that is shown."""

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    caption: str
    picture: str
    jobs: list[_Job] = []


@dataclass(frozen=True)
class FigureSection:
    """The section of one figure; where it cannot be shown, `picture` says why."""

    name: str
    title: str
    picture: Embedded
    jobs: tuple[tuple[str, str], ...]  # label and key


def figure_sections(out: Path) -> list[FigureSection]:
    """Read every figure that was drawn, in the order of their names."""
    return [_section(out, path) for path in sorted((out / "figures").glob("*/figure.json"))]


def _section(out: Path, path: Path) -> FigureSection:
    name = path.parent.name
    try:
        record = _Record.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        return FigureSection(name, name, Embedded(None, f"{path} cannot be read: {reason}."), ())
    if Path(record.picture).name != record.picture:
        return FigureSection(name, record.title, Embedded(None, f"{path} names a picture outside the reports."), ())
    picture = embed(Picture(out / "reports" / record.picture, record.caption))
    return FigureSection(name, record.title, picture, tuple((job.label, job.key) for job in record.jobs if job.key))
