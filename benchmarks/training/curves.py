"""The CSV files a training run leaves: losses.csv and validation.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from benchmarks.files import append, sync_file, write_atomic


class Curve:
    """A CSV file of rows keyed by iteration.

    Rows are appended as training goes. A resumed run first forgets the rows beyond its checkpoint, which it
    is about to make again.
    """

    def __init__(self, path: Path, resumed_at: int):
        self.path = path
        rows = [row for row in _complete_rows(path) if int(row["iteration"]) <= resumed_at]
        self.columns = list(rows[0]) if rows else None
        text = io.StringIO()
        if self.columns:
            writer = csv.DictWriter(text, self.columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        write_atomic(path, text.getvalue())

    def append(self, row: Mapping[str, float]) -> None:
        """Add a row; the first row's names are the columns."""
        text = io.StringIO()
        first = self.columns is None
        self.columns = self.columns or list(row)
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        if first:
            writer.writeheader()
        writer.writerow(row)
        append(self.path, text.getvalue())

    def sync(self) -> None:
        """Bring the rows to the disk."""
        sync_file(self.path)


def read_curve(path: Path) -> list[dict[str, float]]:
    """The rows of a curve, as numbers; none where the file does not exist."""
    return [{name: float(value) for name, value in row.items()} for row in _complete_rows(path)]


def _complete_rows(path: Path) -> list[dict[str, str]]:
    """Rows with a value in every column: a kill while appending leaves the last one short."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    rows = csv.DictReader(io.StringIO(whole))
    return [row for row in rows if None not in row and None not in row.values()]
