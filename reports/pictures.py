"""The pictures of a report, which carry their captions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

CAPTION = "Description"
"""The PNG text chunk in which a picture carries its caption, as the PNG specification names it."""


@dataclass(frozen=True)
class Picture:
    """A PNG beside the report, or the reason why there is none."""

    path: Path | None
    caption: str  # the reason, where there is no picture


def drawn_caption(path: Path) -> str:
    """Read the caption that a PNG carries; empty where it has none or cannot be read."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return str(image.info.get(CAPTION, ""))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
