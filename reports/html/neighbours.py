"""Other pages and files of the folder, which the page leads to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Neighbour:
    """A file and what it holds; `link` is relative to the page."""

    title: str
    link: str
    text: str


def neighbours(out: Path, page: Path) -> list[Neighbour]:
    """Pages of studies and reports of protocols that lie in `out`."""
    return [Neighbour(title, _link(page, path), text) for title, path, text in _found(out)]


def _found(out: Path) -> Iterator[tuple[str, Path, str]]:
    for path in sorted((out / "studies").glob("*/report.html")):
        yield f"Study {path.parent.name}", path, _first_line(path.with_name("best.yaml"))
    for path in sorted((out / "reports").glob("*_protocol.md")):
        name = path.stem.removesuffix("_protocol")
        yield f"Protocol of {name}", path, "How much of a difference between its rows is the way of scoring."


def _first_line(best: Path) -> str:
    try:
        return best.read_text().partition("\n")[0].removeprefix("# ")
    except (OSError, UnicodeDecodeError):
        return "No best settings."


def _link(page: Path, path: Path) -> str:
    return quote(os.path.relpath(path, page.parent))
