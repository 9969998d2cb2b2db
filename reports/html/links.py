"""Links from the page to the other reports of the results folder: studies and protocols."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Link:
    """A report beside the page and what it is about; `target` is relative to the page."""

    title: str
    target: str
    text: str


def report_links(out: Path, page: Path) -> list[Link]:
    """Link to the reports of studies and of protocols that lie in `out`."""
    return [Link(title, _relative(page, path), text) for title, path, text in _found(out)]


def _found(out: Path) -> Iterator[tuple[str, Path, str]]:
    for path in sorted((out / "studies").glob("*/report.html")):
        yield f"Study {path.parent.name}", path, _first_line(path.with_name("best.yaml"))
    for path in sorted((out / "reports").glob("*_protocol.md")):
        name = path.stem.removesuffix("_protocol")
        yield f"Protocol of {name}", path, "How much of a difference between its rows is due to the way of scoring."


def _first_line(best: Path) -> str:
    try:
        return best.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    except (OSError, UnicodeDecodeError):
        return "No best settings."


def _relative(page: Path, path: Path) -> str:
    return quote(os.path.relpath(path, page.parent))
