"""A picture of a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Picture:
    """A PNG beside the report, or the reason why there is none."""

    path: Path | None
    caption: str  # where there is no picture, why
