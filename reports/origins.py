"""Marks that tell the results of training here from figures of other origin, and their legend."""

from __future__ import annotations

from collections.abc import Iterable

from reports.collect import Origin, RowResults

_MARKS: dict[Origin, tuple[str, str]] = {
    "quoted": ("†", "quoted from the paper, not run here"),
    "untrained": ("‡", "no training"),
    "external": ("§", "label maps made elsewhere, not trained here"),
}


def marked_label(row: RowResults) -> str:
    """Append a mark to the row's label, unless the row was trained here."""
    mark, _ = _MARKS.get(row.origin, ("", ""))
    return row.label + mark


def legend(rows: Iterable[RowResults]) -> list[str]:
    """Explain each mark of these rows in one sentence."""
    present = {row.origin for row in rows}
    return [f"{mark} {meaning}." for origin, (mark, meaning) in _MARKS.items() if origin in present]
