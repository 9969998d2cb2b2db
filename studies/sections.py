"""What the page of a study says beside its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Section:
    """Plain text, for the page to escape."""

    title: str
    lines: Sequence[str] = ()
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def read_sections(folder: Path) -> list[Section]:
    """Sections for everything that a study's folder holds."""
    return []
