"""What is kept of a drawn figure for reports that show it: OUT/figures/<name>/figure.json."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.errors import UserError


class DrawnJob(BaseModel):
    """A row of the figure's table and the job behind it, None where it has none."""

    model_config = ConfigDict(frozen=True)

    label: str
    key: str | None = None


class FigureRecord(BaseModel):
    """The part of figure.json that is shown.

    Attributes:
        picture: name of the PNG in OUT/reports.
        pdf: name of the same as PDF.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    caption: str
    picture: str
    pdf: str
    jobs: list[DrawnJob] = []


def record_paths(out: Path) -> list[Path]:
    """The records of all figures that were drawn, in the order of their names."""
    return sorted((out / "figures").glob("*/figure.json"))


def read_record(path: Path) -> FigureRecord:
    """Read one record.

    Raises:
        UserError: it cannot be read, or names files outside the reports.
    """
    try:
        record = FigureRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise UserError(f"{path} cannot be read: {reason}.") from error
    if any(Path(name).name != name for name in (record.picture, record.pdf)):
        raise UserError(f"{path} names a picture outside the reports.")
    return record
